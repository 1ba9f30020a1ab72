/*
 * Who gets which part of the load: pure functions of the scenario, the same in every worker and in the controller.
 */
#include "scenario/scenario.h"
#include <math.h>

static double weight_of(const struct scenario *scenario, const struct load *load, uint32_t place)
{
    return scenario->classes[load->classes[place]].weight;
}

/*
 * Class c gets, of the indices that the classes before it left over, every one at which ceil(i x f) grows, where f is
 * its part of the weights that are left: each prefix of the indices is then divided as the weights say, to within one
 * index a class, without any state.
 */
uint32_t scenario_class_of(const struct scenario *scenario, const struct load *load, uint64_t index)
{
    double left = 0;
    for (uint32_t c = 0; c < load->class_count; c++)
        left += weight_of(scenario, load, c);
    for (uint32_t c = 0; c + 1 < load->class_count; c++) {
        double weight = weight_of(scenario, load, c), part = weight / left;
        double before = ceil((double)index * part);
        if (ceil((double)(index + 1) * part) > before)
            return c;
        index -= before < (double)index ? (uint64_t)before : index;
        left -= weight;
    }
    return load->class_count - 1;
}

/* One each, then the next user to the class that is furthest behind its part (Webster's method): no class gets less for
 * being listed later. */
void scenario_class_users(const struct scenario *scenario, const struct load *load, uint32_t users, uint32_t *ret_counts)
{
    double sum = 0;
    uint32_t given = 0;
    for (uint32_t c = 0; c < load->class_count; c++)
        sum += weight_of(scenario, load, c);
    for (uint32_t c = 0; c < load->class_count; c++) {
        double part = floor((double)(users - load->class_count) * weight_of(scenario, load, c) / sum);
        ret_counts[c] = 1 + (part > 0 ? (uint32_t)part : 0);
        given += ret_counts[c];
    }
    for (; given < users; given++) {
        uint32_t next = 0;
        double most = -1;
        for (uint32_t c = 0; c < load->class_count; c++) {
            double behind = weight_of(scenario, load, c) / (2.0 * ret_counts[c] + 1);
            if (behind > most) {
                most = behind;
                next = c;
            }
        }
        ret_counts[next]++;
    }
}

struct schedule load_schedule(const struct scenario *scenario, const struct load *load, uint32_t worker, uint32_t workers)
{
    /* Loads side by side draw their own chances. The first has the scenario's seed, as it does alone. */
    uint64_t place = (uint64_t)(load - scenario->loads);
    return (struct schedule){.stages = load->stages,
                             .stage_count = load->stage_count,
                             .seed = scenario->seed + place * UINT64_C(0x9e3779b97f4a7c15),
                             .worker = worker,
                             .workers = workers,
                             .limit = load->iterations};
}

uint32_t load_workers(const struct load *load, uint32_t workers)
{
    uint32_t most = load->closed ? load->users : load->users / load->class_count;
    return workers < most ? workers : most ? most : 1;
}

bool load_reads(const struct scenario *scenario, const struct load *load, uint32_t feed)
{
    for (uint32_t c = 0; c < load->class_count; c++)
        if (scenario->classes[load->classes[c]].feeds >> feed & 1)
            return true;
    return false;
}

/* Open load has users of every class on each worker that takes part; closed load where its users' numbers fall. */
static bool worker_reads(const struct scenario *scenario, const struct load *load, uint32_t feed, uint32_t worker, uint32_t workers)
{
    uint32_t taking_part = load_workers(load, workers);
    if (worker >= taking_part || !load_reads(scenario, load, feed))
        return false;
    for (uint64_t user = worker; load->closed && user < load->users; user += taking_part)
        if (scenario->classes[load->classes[scenario_class_of(scenario, load, user)]].feeds >> feed & 1)
            return true;
    return !load->closed;
}

struct data_share feed_share(const struct scenario *scenario, uint32_t feed, uint32_t worker, uint32_t workers)
{
    struct data_share share = {0, 0};
    for (uint32_t w = 0; w < workers; w++) {
        bool reads = false;
        for (uint32_t l = 0; l < scenario->load_count && !reads; l++)
            reads = worker_reads(scenario, &scenario->loads[l], feed, w, workers);
        share.rank += reads && w < worker;
        share.parts += reads;
    }
    share.parts += share.parts == 0;
    return share;
}

uint64_t scenario_length_ns(const struct scenario *scenario)
{
    uint64_t longest_ns = 0;
    for (uint32_t i = 0; i < scenario->load_count; i++) {
        struct schedule schedule = load_schedule(scenario, &scenario->loads[i], 0, 1);
        uint64_t length_ns = schedule_length_ns(&schedule);
        longest_ns = length_ns > longest_ns ? length_ns : longest_ns;
    }
    return longest_ns;
}

double scenario_rate_at(const struct scenario *scenario, uint64_t at_ns)
{
    double rate = 0;
    for (uint32_t i = 0; i < scenario->load_count; i++) {
        struct schedule schedule = load_schedule(scenario, &scenario->loads[i], 0, 1);
        rate += schedule_rate_at(&schedule, at_ns);
    }
    return rate;
}

uint64_t scenario_users(const struct scenario *scenario)
{
    uint64_t users = 0;
    for (uint32_t i = 0; i < scenario->load_count; i++)
        users += scenario->loads[i].users;
    return users;
}

static bool program_uses(const struct scenario *scenario, const struct program *program, const struct target *target)
{
    for (uint32_t i = 0; i < program->count; i++) {
        const struct op *op = &program->ops[i];
        uint32_t steps = op->kind == OP_STEP ? 1 : op->kind == OP_PARALLEL ? op->count : 0;
        if (op->kind == OP_SCRIPT)
            return true; /* it may go anywhere */
        for (uint32_t step = op->step; step < op->step + steps; step++)
            if (scenario->steps[step].target == target)
                return true;
    }
    return false;
}

bool scenario_class_uses(const struct scenario *scenario, const struct user_class *class, const struct target *target)
{
    return program_uses(scenario, &class->flow, target) || program_uses(scenario, &class->setup, target) ||
           program_uses(scenario, &class->teardown, target);
}

uint64_t scenario_target_users(const struct scenario *scenario, const struct target *target)
{
    uint64_t users = 0;
    for (uint32_t i = 0; i < scenario->load_count; i++) {
        const struct load *load = &scenario->loads[i];
        bool uses = load->class_count == 0;
        for (uint32_t j = 0; j < load->class_count && !uses; j++)
            uses = scenario_class_uses(scenario, &scenario->classes[load->classes[j]], target);
        users += uses ? load->users : 0;
    }
    return users;
}

bool scenario_closed(const struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->load_count; i++)
        if (!scenario->loads[i].closed)
            return false;
    return true;
}

bool scenario_counts_journeys(const struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->load_count; i++)
        if (scenario->loads[i].iterations != UINT64_MAX || scenario->loads[i].user_iterations != UINT64_MAX)
            return true;
    return false;
}
