#include "wire.h"

#include <string.h>

size_t
wire_arrived(const struct wire *wire, unsigned char *data)
{
    memcpy(data, wire->in, wire->in_size);
    return wire->in_size;
}

void
wire_keep_arrived(struct wire *wire, const unsigned char *data, size_t size)
{
    wire->in_size = (uint8_t)size;
    memcpy(wire->in, data, size);
}

size_t
wire_unsent(const struct wire *wire, unsigned char *data)
{
    const struct job_text *text = wire->text;

    memcpy(data, wire->out, wire->out_size);
    if (text != NULL)
        memcpy(data + wire->out_size, text->bytes + text->size - wire->text_size, wire->text_size);
    return wire->out_size + wire->text_size;
}

void
wire_set_text(struct wire *wire, struct job_text *text)
{
    job_text_free(wire->text);
    wire->text = text != NULL ? job_text_share(text) : NULL;
}

void
wire_keep_unsent(struct wire *wire, const unsigned char *data, size_t size)
{
    size_t text_size = wire->text != NULL ? wire->text->size : 0;

    wire->text_size = (uint16_t)(size < text_size ? size : text_size);
    wire->out_size = (uint8_t)(size - wire->text_size);
    memmove(wire->out, data, wire->out_size);
    if (wire->text_size == 0)
        wire_set_text(wire, NULL);
}
