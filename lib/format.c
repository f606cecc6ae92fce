#include "format.h"

#include "options.h"

const struct format *const all_formats[FORMATS] = {&format_text, &format_json};

const struct format *
format_chosen(void)
{
    return options.json ? &format_json : &format_text;
}

const struct format *
format_find(const struct span *name)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (all_formats[i]->name != NULL && span_is(name, all_formats[i]->name))
            return all_formats[i];
    return NULL;
}
