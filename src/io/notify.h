/*
 * Telling whoever started this process how it is: a line into a descriptor (--notify-fd), and systemd's datagrams, which need no
 * library: the text goes to the socket that NOTIFY_SOCKET names, a path or "@name" for the abstract namespace.
 */
#ifndef SW_IO_NOTIFY_H
#define SW_IO_NOTIFY_H

#include "shipwatch/base.h"

/* "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=…". Without a socket, or when nobody reads it, nothing happens. */
void sw_notify(const char *state);
/* The same for "it works now": READY=1 goes to fd as well (-1: none), as a line. */
void sw_notify_ready(int fd);
/* How often the one who started us wants WATCHDOG=1, halved so that one late turn is no death. 0: it does not watch this process. */
sw_dur sw_notify_watchdog(void);

#endif
