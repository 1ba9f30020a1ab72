/*
 * Rows of data feeds for users: a journey takes its rows when it begins and keeps them to its end. A shared feed that stops
 * is claimed when the journey falls due, since a row that is taken by who waits must not be taken by who comes later.
 */
#include "engine/internal.h"

struct feed_run {
    struct data_share share;
    uint64_t drawn, claimed; /* of this worker's share */
    struct data_place place; /* of the row drawn last */
};

void feeds_init(struct engine *engine)
{
    const struct scenario *scenario = engine->scenario;
    uint32_t count = scenario->feed_count;
    if (!count)
        return;
    engine->feeds = arena_alloc(&engine->arena, count * sizeof *engine->feeds);
    for (uint32_t i = 0; i < count; i++)
        engine->feeds[i].share = engine->config.single_journey ? (struct data_share){0, 1}
                                                               : feed_share(scenario, i, engine->config.worker, engine->config.workers);
    struct user_feeds *feeds = arena_alloc(&engine->arena, engine->user_count * sizeof *feeds);
    struct squall_bytes *rows = arena_alloc(&engine->arena, (size_t)engine->user_count * count * sizeof *rows);
    uint64_t *draws = arena_alloc(&engine->arena, (size_t)engine->user_count * count * sizeof *draws);
    for (uint32_t i = 0; i < engine->user_count; i++)
        feeds[i] = (struct user_feeds){.rows = rows + (size_t)i * count, .draws = draws + (size_t)i * count};
    engine->more.feeds = feeds;
}

bool feeds_claim(struct engine *engine, const struct user_class *class)
{
    const struct scenario *scenario = engine->scenario;
    if (!class->feeds)
        return true;
    for (int claim = 0; claim < 2; claim++)
        for (uint32_t i = 0; i < scenario->feed_count; i++) {
            const struct data_feed *feed = &scenario->feeds[i];
            if (!(class->feeds >> i & 1) || !feed->stop || feed->scope != SCOPE_SHARED)
                continue;
            struct feed_run *run = &engine->feeds[i];
            uint64_t rows = run->share.rank < feed->table.rows ? data_share_rows(run->share, feed->table.rows) : 0;
            if (claim)
                run->claimed++;
            else if (run->claimed >= rows)
                return false;
        }
    return true;
}

bool feeds_spent(const struct user *user)
{
    const struct scenario *scenario = user->engine->scenario;
    for (uint32_t i = 0; i < scenario->feed_count; i++) {
        const struct data_feed *feed = &scenario->feeds[i];
        if ((user->class->feeds >> i & 1) && feed->stop && feed->scope == SCOPE_PER_USER && user_feeds(user)->draws[i] >= feed->table.rows)
            return true;
    }
    return false;
}

static void draw_row(struct user *user, uint32_t i)
{
    static const struct data_share whole = {0, 1};
    struct engine *engine = user->engine;
    const struct data_feed *feed = &engine->scenario->feeds[i];
    struct feed_run *run = &engine->feeds[i];
    uint64_t rows = feed->table.rows, seed = engine->scenario->seed, row = 0;
    if (feed->scope == SCOPE_ONE_PER_USER && user_feeds(user)->rows[i].data)
        return;
    if (feed->order == ORDER_RANDOM)
        row = random_below(&user->random, rows);
    else if (feed->scope == SCOPE_SHARED)
        row = data_order_row(feed->order, run->share, rows, random_at(seed, i, 0), run->drawn++);
    else if (feed->scope == SCOPE_PER_USER)
        row = data_order_row(feed->order, whole, rows, random_at(seed, i, user->id), user_feeds(user)->draws[i]++);
    else
        row = data_order_row(feed->order, whole, rows, random_at(seed, i, 0), user->id - 1);
    if (!data_row(&feed->table, row, &run->place, &user_feeds(user)->rows[i]))
        user_feeds(user)->rows[i] = (struct squall_bytes){NULL, 0};
}

void feeds_hold(struct user *user, uint64_t feeds)
{
    if (user->engine->more.feeds)
        user_feeds(user)->held = feeds;
}

void feeds_draw(struct user *user, uint64_t feeds)
{
    uint64_t wanted = user->engine->more.feeds ? feeds & ~user_feeds(user)->held : 0;
    for (uint32_t i = 0; wanted >> i; i++)
        if (wanted >> i & 1)
            draw_row(user, i);
}
