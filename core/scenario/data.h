/*
 * Data feeds: files of rows from which journeys take values. A file is mapped and stays on disk; what is kept in memory is
 * an index of where rows begin, one entry for every so many rows, so that its size does not grow with the file's.
 *
 * Formats: CSV (RFC 4180, the separator may be another), JSON (RFC 8259: one array of objects) and JSON Lines (an object a
 * line). Everything is read and checked once, when the scenario is loaded. Afterwards a row is found from the nearest
 * entry before it by reading on; a file that was changed meanwhile gives rows without values and never a crash, unless it
 * was made shorter: the kernel then ends the process that reads behind its end.
 */
#ifndef SQUALL_SCENARIO_DATA_H
#define SQUALL_SCENARIO_DATA_H
#include "base/arena.h"
#include "base/error.h"
#include "base/random.h"
#include "scenario/json_path.h"

#define DATA_ROW_MAX     (UINT64_C(1) << 20) /* bytes of one row */
#define DATA_COLUMNS_MAX 1000u
#define DATA_INDEX_MAX   (1u << 20) /* entries; then every second is given up */
#define FEEDS_MAX        32u

enum data_format { DATA_CSV, DATA_JSON, DATA_JSONL };

struct data_table {
    enum data_format format;
    char separator;          /* CSV */
    const uint8_t *text;     /* borrowed, or mapped by data_open */
    uint64_t len;
    bool mapped;
    struct json_step *columns; /* names; what finds them in a row of JSON */
    uint32_t column_count;
    uint64_t body;           /* where the first row begins */
    uint64_t rows;
    uint64_t *index;         /* where rows 0, stride, 2 x stride ... begin */
    uint32_t index_count, index_room;
    uint64_t stride;
};

/* Where a search for the next row may begin: behind the row found last. Zeroed: nowhere. */
struct data_place {
    uint64_t row, at; /* the row that begins at or behind `at`; 0, 0: not known */
};

/* A table over text that outlives it; names (NULL: CSV has them in its first row) are the arena's. The error names `file`
 * and the line. Format and separator are set by the caller; data_close gives back what it holds. */
int data_read(struct data_table *table, const char *file, const char *const *names, uint32_t name_count, struct arena *arena,
              struct error *error);
/* The same over a file, which is mapped. `file` is what messages call it. */
int data_open(struct data_table *table, const char *path, const char *file, const char *const *names, uint32_t name_count,
              struct arena *arena, struct error *error);
void data_close(struct data_table *table);
/* The bytes of a row, 0-based; the map's. false: it is not there (any more). place may be NULL. */
bool data_row(const struct data_table *table, uint64_t row, struct data_place *place, struct squall_bytes *ret);
/* A row's value in a column; null when it has none. CSV gives texts. */
void data_cell(const struct data_table *table, struct squall_bytes row, uint32_t column, struct arena *scratch, struct value *ret);

/* ---- data_csv.c, data_json.c: the next row from *at on. 1, 0 at the end, -1 with what is wrong and where. ---- */
struct data_fault {
    const char *text;
    uint64_t at;
    uint64_t counts[2]; /* with text NULL: fields found, fields wanted */
};
int data_csv_next(const struct data_table *table, uint64_t *at, struct squall_bytes *ret_row, struct data_fault *fault);
int data_json_next(const struct data_table *table, uint64_t *at, struct squall_bytes *ret_row, struct data_fault *fault);
/* Field by field of a CSV row: from *at on, which moves behind the separator; false: there are no more. Quotes that stand for
 * one are still two when *ret_doubled is true. */
bool data_csv_field(struct squall_bytes row, char separator, uint64_t *at, struct squall_bytes *ret, bool *ret_doubled);
struct squall_bytes data_csv_undouble(struct squall_bytes field, struct arena *arena);
/* Names of the members of an object: false when there are more than DATA_COLUMNS_MAX. */
bool data_json_names(struct squall_bytes row, struct arena *arena, struct json_step *columns, uint32_t *ret_count);
/* Where the array of a JSON file begins; -1 with the fault. */
int data_json_begin(const struct data_table *table, uint64_t *ret_body, struct data_fault *fault);

/* ---- data_order.c: which row comes when; pure functions ---- */

enum data_order { ORDER_SEQUENTIAL, ORDER_SHUFFLE, ORDER_RANDOM };
enum data_scope {
    SCOPE_SHARED,       /* a row a journey, each once before any comes again */
    SCOPE_PER_USER,     /* each user goes through all rows by itself */
    SCOPE_ONE_PER_USER, /* each user has one, the row of its number */
};

/* Rows rank, rank + parts, rank + 2 parts ... of all. parts >= 1. */
struct data_share {
    uint64_t rank, parts;
};
/* How many rows a share has of so many; a share that came away empty has one all the same: row rank mod rows. */
uint64_t data_share_rows(struct data_share share, uint64_t rows);
/* The row of a share's draw number `draw`, from 0. A shuffled share comes in another order in each of its passes. rows >= 1. */
uint64_t data_order_row(enum data_order order, struct data_share share, uint64_t rows, uint64_t key, uint64_t draw);
/* A permutation of 0 .. count - 1, another for each key, without a table. */
uint64_t data_permute(uint64_t index, uint64_t count, uint64_t key);

struct data_feed {
    const char *name;  /* first: error_nearest strides over feeds */
    const char *file;  /* as the scenario names it */
    struct data_table table;
    enum data_order order;
    enum data_scope scope;
    bool stop;         /* at the end; otherwise from the start again */
};
/* The place of a feed among the names; -1: none is called so. names may be NULL. */
int feed_find(const struct expression_names *names, const char *name);
/* The column that the first step of a path names (NULL: there is no path), if the feed may be read here at all. */
int feed_column(const struct expression_names *names, uint32_t feed, const struct json_step *step, struct arena *arena, uint32_t *ret_column,
                struct error *error);

#endif
