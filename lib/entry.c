#include "entry.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

enum {
    FIELDS = 7,
};

#define MS_MAX (UINT64_MAX / 1000) /* a driver tells how long a job ran in microseconds */

/* In the order of enum job_step. */
const struct step_words step_words[] = {
    {"Waiting", "waiting"},
    {"Running", "running"},
    {"Done", "done"},
};

static_assert(sizeof(step_words) / sizeof(step_words[0]) == STEPS, "each step has its words");

static int
hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Parses two hexadecimal digits into a byte. */
static bool
hex_parse(const char *at, size_t size, char *byte)
{
    int high = size >= 2 ? hex_digit(at[0]) : -1, low = size >= 2 ? hex_digit(at[1]) : -1;

    *byte = (char)(high * 16 + low);
    return high >= 0 && low >= 0;
}

/* Replaces the escapes in the span, whose bytes are at at. decode() gets what follows a backslash,
 * and returns how many bytes of it belong to the escape, or 0 if there is none; then this returns
 * false. */
static bool
span_unescape(struct span *span, char *at, size_t (*decode)(const char *, size_t, char *))
{
    char *out = at;
    const char *from = at, *end = at + span->size;

    while (from < end) {
        if (*from != '\\') {
            *out++ = *from++;
            continue;
        }
        size_t size = decode(from + 1, (size_t)(end - from - 1), out);
        if (size == 0)
            return false;
        from += 1 + size;
        out++;
    }
    *span = (struct span){at, (size_t)(out - at)};
    return true;
}

/* Whether the command can be from a log, and can be added to one again: no escape is longer than
 * TEXT_BYTE_MAX. */
static bool
command_fits(const struct span *command)
{
    size_t size = 0;

    for (size_t i = 0; i < command->size; i++) {
        char byte = command->at[i];
        bool plain = byte >= ' ' && byte <= '~';
        size += !plain ? TEXT_BYTE_MAX : byte == '"' || byte == '\\' ? 2 : 1;
    }
    return size <= TEXT_LOGGED_MAX;
}

static bool
number_field_parse(const struct span *word, uint64_t max, uint64_t *value)
{
    return digits_parse(word->at, word->size, max, value) && *value >= 1 && *value <= max;
}

static bool
driver_field_parse(const struct span *word, pid_t *pid)
{
    uint64_t value;

    if (!number_field_parse(word, INT_MAX, &value))
        return false;
    *pid = (pid_t)value;
    return true;
}

/* Parses how long a job ran, which may be 0, or its limit. */
static bool
ms_parse(const struct span *word, uint64_t *ms)
{
    uint64_t value = MS_MAX;

    if (!seconds_parse(word->at, word->size, MS_MAX, &value) && value != 0)
        return false;
    *ms = value;
    return true;
}

/* What a time looks like, with 0 for any digit. */
static const char time_shape[] = "0000-00-00T00:00:00.000Z";

/* Whether the text has that shape, as far as both go. */
static bool
has_shape(const char *text, size_t size, const char *shape)
{
    for (size_t i = 0; i < size && shape[i] != '\0'; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == '0' ? !digit : text[i] != shape[i])
            return false;
    }
    return true;
}

static bool
is_time(const struct span *word)
{
    return word->size == sizeof(time_shape) - 1 && has_shape(word->at, word->size, time_shape);
}

bool
entry_begins(const char *text, size_t size, bool json)
{
    return has_shape(text, size, json ? "{\"time\":\"0000-00-00T00:00:00.000Z" : time_shape);
}

static bool
step_find(const struct span *word, bool json, enum job_step *step)
{
    for (int i = 0; i < STEPS; i++) {
        if (span_is(word, json ? step_words[i].state : step_words[i].field)) {
            *step = (enum job_step)i;
            return true;
        }
    }
    return false;
}

/* ---- seven fields ---------------------------------------------------------------------------- */

/* \t, \n, \\ and \xNN */
static size_t
text_escape(const char *at, size_t size, char *byte)
{
    if (size == 0)
        return 0;
    switch (*at) {
    case 't':
        *byte = '\t';
        return 1;
    case 'n':
        *byte = '\n';
        return 1;
    case '\\':
        *byte = '\\';
        return 1;
    case 'x':
        return hex_parse(at + 1, size - 1, byte) ? 3 : 0;
    default:
        return 0;
    }
}

/* Parses the RESULT of a Waiting line: "first"; what became of the job before, such as "was 17",
 * "exit 1" or both; or "-". */
static bool
waiting_result_parse(const struct span *field, struct entry *entry)
{
    const char *rest = field->at, *space = NULL;

    if (span_is(field, "-"))
        return true;
    entry->first = span_is(field, "first");
    if (entry->first)
        return true;
    if (field->size > 4 && memcmp(rest, "was ", 4) == 0) {
        space = memchr(rest + 4, ' ', field->size - 4);
        size_t size = space != NULL ? (size_t)(space - rest) : field->size;
        struct span number = {rest + 4, size - 4};
        if (!number_field_parse(&number, JOB_NUMBER_MAX, &entry->was))
            return false;
        rest += size + 1;
    }
    entry->again = entry->was == 0 || space != NULL;
    return !entry->again || job_result_parse(rest, &entry->result);
}

/* Splits the line at its tabs. Returns false unless there are FIELDS. */
static bool
fields_split(char *line, size_t size, struct span *fields)
{
    int count = 0;

    for (char *at = line, *end = line + size; count < FIELDS; count++) {
        char *tab = memchr(at, '\t', (size_t)(end - at));
        if ((tab == NULL) != (count == FIELDS - 1))
            return false;
        fields[count] = (struct span){at, (size_t)((tab != NULL ? tab : end) - at)};
        at = tab != NULL ? tab + 1 : end;
    }
    return true;
}

bool
entry_parse(char *line, size_t size, struct entry *entry)
{
    struct span fields[FIELDS];

    *entry = (struct entry){0};
    if (!fields_split(line, size, fields) || !is_time(&fields[0]) ||
        !number_field_parse(&fields[1], JOB_NUMBER_MAX, &entry->number) ||
        !step_find(&fields[2], false, &entry->step))
        return false;
    bool waiting = entry->step == STEP_WAITING, done = entry->step == STEP_DONE;
    bool none = span_is(&fields[3], "-"), any = waiting && span_is(&fields[3], "any");
    entry->submitted = waiting && none;
    entry->command = fields[6];
    bool has_ms = !span_is(&fields[4], "-");
    line[fields[6].at - 1 - line] = '\0'; /* the tab after RESULT */
    return ((none && entry->step != STEP_RUNNING) || any ||
            driver_field_parse(&fields[3], &entry->driver)) &&
           (has_ms ? ms_parse(&fields[4], &entry->ms) && entry->step != STEP_RUNNING : !waiting) &&
           (done      ? job_result_parse(fields[5].at, &entry->result)
            : waiting ? waiting_result_parse(&fields[5], entry)
                      : span_is(&fields[5], "-")) &&
           span_unescape(&entry->command, line + (fields[6].at - line), text_escape) &&
           command_fits(&entry->command);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* \", \\ and \u00XX */
static size_t
json_escape(const char *at, size_t size, char *byte)
{
    if (size >= 1 && (*at == '"' || *at == '\\')) {
        *byte = *at;
        return 1;
    }
    if (size < 5 || memcmp(at, "u00", 3) != 0)
        return 0;
    return hex_parse(at + 3, size - 3, byte) ? 5 : 0;
}

static bool
begins(const struct span *rest, const char *text)
{
    size_t size = strlen(text);

    return rest->size >= size && memcmp(rest->at, text, size) == 0;
}

/* Takes the text from the beginning of *rest. Returns false if *rest does not begin with it. */
static bool
take(struct span *rest, const char *text)
{
    size_t size = strlen(text);

    if (!begins(rest, text))
        return false;
    *rest = (struct span){rest->at + size, rest->size - size};
    return true;
}

/* Takes a string and its quotation mark at the end; the one at the beginning is taken already. */
static bool
take_string(struct span *rest, struct span *string)
{
    size_t size = 0;

    while (size < rest->size && rest->at[size] != '"')
        size += rest->at[size] == '\\' ? 2 : 1;
    if (size >= rest->size)
        return false;
    *string = (struct span){rest->at, size};
    *rest = (struct span){rest->at + size + 1, rest->size - size - 1};
    return true;
}

/* Takes a number: all up to the next comma. */
static bool
take_number(struct span *rest, struct span *number)
{
    const char *comma = memchr(rest->at, ',', rest->size);

    if (comma == NULL)
        return false;
    *number = (struct span){rest->at, (size_t)(comma - rest->at)};
    *rest = (struct span){comma, rest->size - number->size};
    return true;
}

/* Takes a RESULT, such as ,"exit":0 or ,"lost":"WHY", and writes "exit 0" or "lost WHY" in its
 * place. */
static bool
take_result(struct span *rest, char *line, struct job_result *result)
{
    struct span word, value = {NULL, 0};
    char *text = line + (rest->at - line), *out = text;

    if (!take(rest, ",\"") || !take_string(rest, &word) || !take(rest, ":"))
        return false;
    if (take(rest, "\"")) {
        if (!take_string(rest, &value) ||
            !span_unescape(&value, line + (value.at - line), json_escape))
            return false;
    } else if (!take_number(rest, &value)) {
        return false;
    }
    memmove(out, word.at, word.size);
    out += word.size;
    if (!span_is(&value, "true")) {
        *out++ = ' ';
        memmove(out, value.at, value.size);
        out += value.size;
    }
    *out = '\0';
    return job_result_parse(text, result);
}

bool
entry_parse_json(char *line, size_t size, struct entry *entry)
{
    struct span rest = {line, size}, time, number, state, word;
    bool any = false;

    *entry = (struct entry){0};
    if (!take(&rest, "{\"time\":\"") || !take_string(&rest, &time) || !is_time(&time) ||
        !take(&rest, ",\"job\":") || !take_number(&rest, &number) ||
        !number_field_parse(&number, JOB_NUMBER_MAX, &entry->number) ||
        !take(&rest, ",\"state\":\"") || !take_string(&rest, &state) ||
        !step_find(&state, true, &entry->step))
        return false;
    if (take(&rest, ",\"driver\":\"any\""))
        any = true;
    else if (take(&rest, ",\"driver\":") &&
             (!take_number(&rest, &word) || !driver_field_parse(&word, &entry->driver)))
        return false;
    if (take(&rest, ",\"seconds\":") &&
        (!take_number(&rest, &word) || !ms_parse(&word, &entry->ms)))
        return false;
    bool waiting = entry->step == STEP_WAITING;
    entry->first = waiting && take(&rest, ",\"first\":true");
    if (waiting && take(&rest, ",\"was\":") &&
        (!take_number(&rest, &word) || !number_field_parse(&word, JOB_NUMBER_MAX, &entry->was)))
        return false;
    entry->again = waiting && rest.size > 0 && !begins(&rest, ",\"command\"");
    if ((entry->step == STEP_DONE || entry->again) && !take_result(&rest, line, &entry->result))
        return false;
    entry->submitted = entry->step == STEP_WAITING && !any && entry->driver == 0;
    return (entry->step != STEP_RUNNING || entry->driver != 0) && take(&rest, ",\"command\":\"") &&
           take_string(&rest, &entry->command) &&
           span_unescape(&entry->command, line + (entry->command.at - line), json_escape) &&
           take(&rest, "}") && rest.size == 0 && command_fits(&entry->command);
}
