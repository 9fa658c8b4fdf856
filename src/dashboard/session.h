/*
 * Sessions: a cookie that says who signed in, sealed with a key that lies in the state directory, so that a restart keeps people signed in.
 *
 *   1.<issued>.<session>.<name>.<seal>      seal = HMAC(key, all before it + hash of the password + role)
 *
 * The seal is over what the user is now: a changed password, a changed role, a removed user ends every session of that user. A session
 * that was signed out is remembered in a file until it would have ended by itself.
 */
#ifndef SW_DASHBOARD_SESSION_H
#define SW_DASHBOARD_SESSION_H

#include "config/config.h"
#include "shipwatch/base.h"
#include "shipwatch/err.h"
#include "shipwatch/mem.h"

#define SW_SESSION_COOKIE "sw_session"
#define SW_SESSION_ID     33    /* 32 digits */
#define SW_SESSION_OUT    10000 /* signed out and remembered; past that all sessions end */

struct sw_sessions;

/* dir NULL: the key is this process' own. Return: 0, or -errno with err. */
SW_CHECKED int sw_sessions_new(const char *dir, struct sw_sessions **ret, struct sw_err *err);
void sw_sessions_free(struct sw_sessions *s);
/* A cookie's value for a new session, in a. */
const char *sw_session_new(struct sw_sessions *s, const struct sw_conf_user *user, sw_ms now, struct sw_arena *a);
/* Whose session it is; NULL: nobody's (forged, over, signed out, not that user any more). */
const struct sw_conf_user *sw_session_user(struct sw_sessions *s, const struct sw_conf_dashboard *cfg, const char *cookie, sw_ms now, char ret_id[SW_SESSION_ID]);
/* Ends it for good. Return: 0, or -errno: it ended, but a restart would not know. */
SW_CHECKED int sw_session_end(struct sw_sessions *s, const struct sw_conf_dashboard *cfg, const char *id, sw_ms now);
/* The token of forms: of a session, or of who has none. In a. */
const char *sw_session_csrf(struct sw_sessions *s, const char *what, struct sw_arena *a);

#endif
