/*
 * slot.h: small numbers for what runs at the same time, as TAXI_SLOT.
 */
#ifndef SLOT_H
#define SLOT_H

#include <stdint.h>

/* Returns the smallest number from 1 on that is not taken. Beyond 262,144 all get the same one. */
uint32_t slot_take(void);

/* Gives it back; 0 is none. */
void slot_return(uint32_t slot);

#endif
