/* See data.h. Nothing here remembers anything: the row of a draw follows from its number alone. */
#include "scenario/data.h"

#define ROUNDS 6

/*
 * A Feistel network over the next larger power of four (Luby and Rackoff 1988), walked on until it lands within the
 * count (Black and Rogaway 2002): the power is less than four times the count, so four steps are expected at most.
 */
uint64_t data_permute(uint64_t index, uint64_t count, uint64_t key)
{
    uint32_t half = 1;
    while (half < 32 && (UINT64_C(1) << (2 * half)) < count)
        half++;
    uint64_t mask = (UINT64_C(1) << half) - 1;
    if (count < 2)
        return 0;
    do {
        uint64_t left = index >> half, right = index & mask;
        for (uint64_t round = 0; round < ROUNDS; round++) {
            uint64_t next = left ^ (random_at(key, round, right) & mask);
            left = right;
            right = next;
        }
        index = left << half | right;
    } while (index >= count);
    return index;
}

uint64_t data_share_rows(struct data_share share, uint64_t rows)
{
    return share.rank < rows ? (rows - share.rank - 1) / share.parts + 1 : 1;
}

uint64_t data_order_row(enum data_order order, struct data_share share, uint64_t rows, uint64_t key, uint64_t draw)
{
    uint64_t own = data_share_rows(share, rows), place = draw % own;
    if (share.rank >= rows)
        return share.rank % rows;
    if (order == ORDER_SHUFFLE)
        place = data_permute(place, own, random_at(key, share.rank, draw / own));
    return share.rank + place * share.parts;
}
