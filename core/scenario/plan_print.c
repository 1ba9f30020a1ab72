/* The plan of a scenario in words: what `squall check` prints. Values that may hold secrets are not shown. */
#include "base/units.h"
#include "scenario/scenario.h"

#define WORD 64

static const char *duration(char *buf, uint64_t ns)
{
    return ns == UINT64_MAX ? "no limit of time" : units_print_duration(buf, WORD, ns);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void print_targets(const struct scenario *scenario, struct buffer *out)
{
    char timeout[WORD], connect[WORD];
    buffer_printf(out, "targets\n");
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        const struct target *target = &scenario->targets[i];
        buffer_printf(out, "  %-16s %s  (%s", target->name, target->url, target->protocol->name);
        if (target->connections == CONNECTIONS_PER_USER)
            buffer_printf(out, ", a connection per user");
        else if (target->connections == CONNECTIONS_NEW)
            buffer_printf(out, ", a new connection for each exchange");
        else
            buffer_printf(out, ", %u connection%s", target->connections, plural(target->connections));
        buffer_printf(out, ", timeout %s, connect-timeout %s%s)\n", duration(timeout, target->timeout_ns),
                      duration(connect, target->connect_timeout_ns), target->tls_insecure ? ", any certificate" : "");
    }
}

static void print_feeds(const struct scenario *scenario, struct buffer *out)
{
    static const char *const orders[] = {"in order", "shuffled", "drawn at random"};
    static const char *const scopes[] = {"a row a journey", "all rows for each user", "one row for each user"};
    char rows[WORD];
    if (scenario->feed_count)
        buffer_printf(out, "\ndata\n");
    for (uint32_t i = 0; i < scenario->feed_count; i++) {
        const struct data_feed *feed = &scenario->feeds[i];
        buffer_printf(out, "  %-16s %s  (%s row%s, %u column%s, %s, %s, %s)\n", feed->name, feed->file,
                      units_print_grouped(rows, sizeof rows, feed->table.rows), plural(feed->table.rows), feed->table.column_count,
                      plural(feed->table.column_count), orders[feed->order],
                      scopes[feed->scope], feed->stop ? "then the end" : "again and again");
    }
}

static void print_stage(const struct stage *stage, struct buffer *out)
{
    char length[WORD];
    const char *unit = stage->kind == STAGE_RATE ? "/s" : stage->to == 1 ? " user" : " users";
    if (stage->from != stage->to)
        buffer_printf(out, "  ramp %g -> %g%s over %s", stage->from, stage->to, unit,
                      duration(length, stage->duration_ns));
    else if (stage->duration_ns == UINT64_MAX)
        buffer_printf(out, "  hold %g%s", stage->to, unit);
    else
        buffer_printf(out, "  hold %g%s for %s", stage->to, unit, duration(length, stage->duration_ns));
    if (stage->kind == STAGE_RATE)
        buffer_printf(out, ", %s arrivals", stage->arrivals == ARRIVALS_POISSON ? "poisson" : "constant");
    if (stage->pace_ns)
        buffer_printf(out, ", pace %s", duration(length, stage->pace_ns));
    buffer_printf(out, "\n");
}

/* Who walks a load, when it is not everyone. */
static void print_walkers(const struct scenario *scenario, const struct load *load, struct buffer *out)
{
    for (uint32_t i = 0; i < load->class_count && load->class_count < scenario->class_count; i++)
        buffer_printf(out, "%s%s", i ? ", " : ", walked by ", scenario->classes[load->classes[i]].name);
}

static void print_ends(const struct load *load, bool in_time, struct buffer *out)
{
    char grouped[WORD];
    const char *or = in_time ? ", or with its last stage" : "";
    if (load->iterations != UINT64_MAX)
        buffer_printf(out, "  ends after %s journey%s%s\n", units_print_grouped(grouped, sizeof grouped, load->iterations),
                      plural(load->iterations), or);
    if (load->user_iterations != UINT64_MAX)
        buffer_printf(out, "  ends after %s journey%s of each user%s\n",
                      units_print_grouped(grouped, sizeof grouped, load->user_iterations), plural(load->user_iterations), or);
}

static void print_load(const struct scenario *scenario, const struct load *load, struct buffer *out)
{
    char word[WORD], grouped[WORD];
    struct schedule schedule = load_schedule(scenario, load, 0, 1);
    uint64_t length = schedule_length_ns(&schedule);
    buffer_printf(out, "load%s%s (%s)", load->name ? " " : "", load->name ? load->name : "",
                  load->closed ? "closed: a user starts its next journey when the last has ended"
                               : "open: journeys start when they are due");
    print_walkers(scenario, load, out);
    buffer_printf(out, "\n");
    for (uint32_t i = 0; i < load->stage_count; i++)
        print_stage(&load->stages[i], out);
    print_ends(load, length != UINT64_MAX, out);
    if (length != UINT64_MAX)
        buffer_printf(out, "  %s in all", duration(word, length));
    else
        buffer_printf(out, "  no limit of time");
    if (!load->closed) {
        uint64_t expected = schedule_expected(&schedule);
        if (expected != UINT64_MAX)
            buffer_printf(out, ", %s journey%s expected", units_print_grouped(grouped, sizeof grouped, expected), plural(expected));
        buffer_printf(out, ", up to %s user%s", units_print_grouped(grouped, sizeof grouped, load->users), plural(load->users));
    }
}

static void print_loads(const struct scenario *scenario, struct buffer *out)
{
    char word[WORD];
    for (uint32_t i = 0; i < scenario->load_count; i++) {
        print_load(scenario, &scenario->loads[i], out);
        if (i + 1 < scenario->load_count)
            buffer_printf(out, "\n");
    }
    if (scenario->warmup_ns)
        buffer_printf(out, "; warm-up %s", duration(word, scenario->warmup_ns));
    if (scenario->ready_within_ns)
        buffer_printf(out, "; users end their setup before it, within %s", duration(word, scenario->ready_within_ns));
    buffer_printf(out, "; drain up to %s; seed %llu\n", duration(word, scenario->drain_ns),
                  (unsigned long long)scenario->seed);
}

static void print_step(const struct step *step, uint32_t indent, struct buffer *out)
{
    buffer_printf(out, "%*s%-8s %s", (int)indent, "", step->protocol->name, step->name);
    buffer_printf(out, " @ %s", step->target->name);
    for (uint32_t i = 0; i < step->check_count; i++)
        buffer_printf(out, "%s%s", i ? ", " : "  checks: ", step->checks[i].name);
    buffer_printf(out, "\n");
}

/* base: the indentation of what the flow stands in. */
static void print_operation(const struct scenario *scenario, const struct op *op, uint32_t base, struct buffer *out)
{
    char min[WORD], max[WORD];
    uint32_t indent = base + 2 * op->depth;
    if (op->kind == OP_END || (op->kind == OP_JUMP && !op->text) || op->kind == OP_REPEAT || op->kind == OP_SPAN_END ||
        (op->kind == OP_LOOP && op[1].kind == OP_WHILE))
        return;
    if (op->kind == OP_PARALLEL) {
        buffer_printf(out, "%*sparallel %u steps at once\n", (int)indent, "", op->count);
        indent += 2;
    }
    for (uint32_t i = 0; i < (op->kind == OP_PARALLEL ? op->count : op->kind == OP_STEP); i++)
        print_step(&scenario->steps[op->step + i], indent, out);
    if (op->kind == OP_STEP || op->kind == OP_PARALLEL)
        return;
    buffer_printf(out, "%*s", (int)indent, "");
    if (op->kind == OP_THINK && op->think_min_ns == op->think_max_ns)
        buffer_printf(out, "think    %s\n", duration(min, op->think_min_ns));
    else if (op->kind == OP_THINK)
        buffer_printf(out, "think    %s to %s\n", duration(min, op->think_min_ns), duration(max, op->think_max_ns));
    else if (op->kind == OP_LOOP)
        buffer_printf(out, "repeat   %u time%s\n", op->count, plural(op->count));
    else if (op->kind == OP_IF || op->kind == OP_WHILE)
        buffer_printf(out, "%-8s %s\n", op->kind == OP_IF ? "if" : "while", op->text);
    else if (op->kind == OP_JUMP)
        buffer_printf(out, "%s\n", op->text);
    else if (op->kind == OP_SCRIPT)
        buffer_printf(out, "script   %s\n", scenario->scripts[op->count].file);
    else if (op->kind == OP_CHOOSE)
        buffer_printf(out, "choose   one of %u\n", op->count);
    else if (op->kind == OP_SPAN_BEGIN)
        buffer_printf(out, "transaction %s\n", scenario->transactions[op->count]);
    else if (op->kind == OP_SET)
        for (uint32_t i = 0; i < op->count; i++)
            buffer_printf(out, "%s%s%s", i ? ", " : "set      ", scenario->variables[op->assignments[i].variable],
                          i + 1 < op->count ? "" : "\n");
}

/* A flow of a class; under its name where the class has several. */
static void print_program(const struct scenario *scenario, const char *name, const struct program *program,
                          struct buffer *out)
{
    if (name && program->count)
        buffer_printf(out, "    %s\n", name);
    for (uint32_t i = 0; i < program->count; i++)
        print_operation(scenario, &program->ops[i], name ? 4 : 2, out);
}

static void print_run_program(const struct scenario *scenario, const char *name, const struct program *program, struct buffer *out)
{
    if (program->count)
        buffer_printf(out, "\n%s of the run\n", name);
    for (uint32_t i = 0; i < program->count; i++)
        print_operation(scenario, &program->ops[i], 0, out);
}

static void print_class(const struct scenario *scenario, const struct user_class *class, double weights,
                        struct buffer *out)
{
    buffer_printf(out, "  %s (%.3g %%)\n", class->name, 100 * class->weight / weights);
    print_program(scenario, "setup", &class->setup, out);
    print_program(scenario, class->setup.count || class->teardown.count ? "flow" : NULL, &class->flow, out);
    print_program(scenario, "teardown", &class->teardown, out);
}

static void print_groups(const struct scenario *scenario, struct buffer *out)
{
    for (uint32_t i = 0; i < scenario->group_tag_count; i++)
        buffer_printf(out, "%s  by %s\n", i ? "" : "\ngroups\n", scenario->group_tags[i]);
}

void scenario_print_plan(const struct scenario *scenario, struct buffer *out)
{
    double weights = 0;
    buffer_printf(out, "%s\n\n", scenario->name);
    print_targets(scenario, out);
    print_feeds(scenario, out);
    buffer_printf(out, "\n");
    print_loads(scenario, out);
    print_run_program(scenario, "setup", &scenario->setup, out);
    buffer_printf(out, "\nusers\n");
    for (uint32_t i = 0; i < scenario->class_count; i++)
        weights += scenario->classes[i].weight;
    for (uint32_t i = 0; i < scenario->class_count; i++)
        print_class(scenario, &scenario->classes[i], weights, out);
    print_run_program(scenario, "teardown", &scenario->teardown, out);
    if (scenario->threshold_count)
        buffer_printf(out, "\nthresholds\n");
    for (uint32_t i = 0; i < scenario->threshold_count; i++)
        buffer_printf(out, "  %s\n", scenario->thresholds[i].text);
    print_groups(scenario, out);
}
