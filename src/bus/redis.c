/* What Redis is told and what it says, as bytes: commands are written here, replies are taken apart by hiredis' reader. The only file that knows hiredis. */
#include "bus/redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <hiredis/hiredis.h>
#pragma GCC diagnostic pop

#include "base/number.h"
#include "shipwatch/mem.h"

#define HEAD_ROOM 32 /* before a command's arguments, for "*<argc>\r\n" */

/* ---- replies ---- */

static const redisReply *rep(const struct sw_rep *r) { return (const redisReply *)(const void *)r; }

size_t sw_rep_count(const struct sw_rep *r)
{
	return r && rep(r)->type == REDIS_REPLY_ARRAY ? rep(r)->elements : 0;
}

const struct sw_rep *sw_rep_at(const struct sw_rep *r, size_t i)
{
	return i < sw_rep_count(r) ? (const struct sw_rep *)(const void *)rep(r)->element[i] : NULL;
}

const char *sw_rep_str(const struct sw_rep *r, size_t *ret_n)
{
	if (!r || (rep(r)->type != REDIS_REPLY_STRING && rep(r)->type != REDIS_REPLY_STATUS))
		return NULL;
	if (ret_n)
		*ret_n = rep(r)->len;
	return rep(r)->str;
}

int64_t sw_rep_int(const struct sw_rep *r)
{
	const char *s;

	if (r && rep(r)->type == REDIS_REPLY_INTEGER)
		return rep(r)->integer;
	s = sw_rep_str(r, NULL);
	return s ? strtoll(s, NULL, 10) : 0;
}

const char *sw_rep_error(const struct sw_rep *r, size_t *ret_n)
{
	if (!r || rep(r)->type != REDIS_REPLY_ERROR)
		return NULL;
	*ret_n = rep(r)->len;
	return rep(r)->str;
}

void sw_rep_free(struct sw_rep *r)
{
	if (r)
		freeReplyObject(r);
}

/* ---- taking apart ---- */

struct sw_replies { redisReader *reader; };

struct sw_replies *sw_replies_new(void)
{
	struct sw_replies *s = sw_calloc(1, sizeof *s);

	s->reader = redisReaderCreate();
	SW_ASSERT(s->reader);
	s->reader->maxbuf = 0; /* else the buffer of large replies is allocated anew each time */
	return s;
}

void sw_replies_free(struct sw_replies *s)
{
	if (!s)
		return;
	redisReaderFree(s->reader);
	free(s);
}

int sw_replies_feed(struct sw_replies *s, const void *p, size_t n)
{
	return redisReaderFeed(s->reader, p, n) == REDIS_OK ? 0 : -EPROTO;
}

int sw_replies_next(struct sw_replies *s, struct sw_rep **ret)
{
	void *reply = NULL;

	if (redisReaderGetReply(s->reader, &reply) != REDIS_OK)
		return -EPROTO;
	*ret = reply;
	return reply != NULL;
}

const char *sw_replies_error(const struct sw_replies *s)
{
	return s->reader->errstr;
}

/* ---- commands ---- */

static void cmd_begin(struct sw_cmd *c)
{
	static const char room[HEAD_ROOM];

	*c = (struct sw_cmd){ .script = -1 };
	sw_buf_catn(&c->b, room, sizeof room);
}

void sw_cmd_mem(struct sw_cmd *c, const void *p, size_t n)
{
	sw_buf_reserve(&c->b, n + 32);
	sw_buf_putc(&c->b, '$');
	sw_number_print_int(&c->b, (int64_t)n);
	sw_buf_catn(&c->b, "\r\n", 2);
	sw_buf_catn(&c->b, p, n);
	sw_buf_catn(&c->b, "\r\n", 2);
	c->argc++;
}

void sw_cmd_str(struct sw_cmd *c, const char *s)
{
	sw_cmd_mem(c, s ? s : "", s ? strlen(s) : 0);
}

void sw_cmd_int(struct sw_cmd *c, int64_t v)
{
	char text[24];
	struct sw_buf b = { text, 0, sizeof text };

	sw_number_print_int(&b, v);
	sw_cmd_mem(c, b.p, b.n);
}

void sw_cmd_join(struct sw_cmd *c, const struct sw_cmd *args)
{
	sw_buf_catn(&c->b, args->b.p, args->b.n);
	c->argc += args->argc;
}

void sw_cmd_plain(struct sw_cmd *c, const char *word)
{
	cmd_begin(c);
	sw_cmd_str(c, word);
}

void sw_cmd_script(struct sw_cmd *c, enum sw_script_id script)
{
	sw_cmd_plain(c, "EVALSHA");
	sw_cmd_mem(c, sw_scripts[script].sha, 40);
	sw_cmd_mem(c, "0", 1);
	c->script = (int)script;
}

const char *sw_cmd_bytes(struct sw_cmd *c, size_t *ret_n)
{
	char head[HEAD_ROOM];
	int n = snprintf(head, sizeof head, "*%u\r\n", c->argc);
	char *at = c->b.p + HEAD_ROOM - n;

	memcpy(at, head, (size_t)n);
	*ret_n = c->b.n - (size_t)(HEAD_ROOM - n);
	return at;
}
