/* An action by a program: fixed arguments, no shell; the decision in the environment and as JSON on stdin. */
#include "shipwatch/plugin.h"

#include <errno.h>
#include <string.h>

#include "action/act_json.h"
#include "base/str.h"

#define ARGS_MAX   64
#define DETAIL_MAX 300

struct exec {
	const char *program, **args, *cwd;
	sw_dur timeout;
};

#define AT(f) offsetof(struct exec, f)
static const struct sw_key keys[] = {
	{ "program", SW_KEY_STRING, AT(program), "!", "absolute path; must be one of programs" },
	{ "args", SW_KEY_STRINGS, AT(args), NULL, "its arguments, taken as they are" },
	{ "timeout", SW_KEY_DUR, AT(timeout), "30s", "after which it is ended and its outcome unknown", SW_SECOND,
	  SW_HOUR },
	{ "cwd", SW_KEY_STRING, AT(cwd), NULL, "the directory it starts in; / unless said" },
	{ 0 },
};

static int exec_plan(const void *conf, const struct sw_act *act, unsigned step, const struct sw_result *last,
                     sw_ms now, struct sw_arena *a, struct sw_job *ret, struct sw_err *err)
{
	const struct exec *c = conf;
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char **env = sw_act_env(act, a);
	size_t n = 0, e = 0;

	while (c->args && c->args[n])
		n++;
	if (c->program[0] != '/')
		return sw_err_set(err, EINVAL, "program: want an absolute path, got \"%s\"", c->program);
	if (n > ARGS_MAX)
		return sw_err_set(err, E2BIG, "args: at most %d", ARGS_MAX);
	memset(ret, 0, sizeof *ret);
	ret->kind = SW_JOB_EXEC;
	ret->timeout = c->timeout;
	ret->argv = SW_ARENA_ARRAY(a, const char *, n + 2);
	ret->argv[0] = c->program;
	for (size_t i = 0; i < n; i++)
		ret->argv[i + 1] = c->args[i];
	while (env[e])
		e++;
	ret->env = SW_ARENA_ARRAY(a, const char *, e + 2);
	memcpy(ret->env, env, e * sizeof *env);
	if (c->cwd && *c->cwd)
		ret->env[e] = sw_arena_printf(a, "PWD=%s", c->cwd);
	sw_act_json(act, &b);
	ret->body = sw_arena_strndup(a, b.p, b.n);
	ret->body_n = b.n;
	return 0;
}

/* The last line a failed program wrote: what a person wants to see. */
static void tell_last_line(const struct sw_result *res, struct sw_err *err)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;
	const char *p = res->body ? res->body : "";
	size_t end = strlen(p), from;

	while (end && strchr("\r\n \t", p[end - 1]))
		end--;
	for (from = end; from && p[from - 1] != '\n'; from--)
		;
	sw_utf8_clean(&b, p + from, sw_utf8_cut(p + from, end - from, DETAIL_MAX), true);
	sw_err_set(err, EIO, "ended with %d%s%s", res->status, b.n ? ": " : "", sw_buf_str(&b));
}

static struct sw_class exec_judge(const void *conf, const struct sw_result *res, struct sw_err *err)
{
	struct sw_class ret = { .outcome = SW_OK };

	if (res->fault != SW_FAULT_NONE) {
		(void)sw_judge_transport(res, &ret, err);
		return ret;
	}
	ret.code = res->status;
	if (res->timed_out) {
		ret.outcome = SW_AMBIGUOUS;
		sw_err_set(err, ETIMEDOUT, "did not end within its time and was stopped");
	} else if (res->status != 0) {
		ret.outcome = SW_MESSAGE;
		tell_last_line(res, err);
	}
	return ret;
}

const struct sw_action sw_action_exec = {
	.base = { "exec", "A program, without a shell.", keys, sizeof(struct exec) },
	.plan = exec_plan,
	.judge = exec_judge,
};
