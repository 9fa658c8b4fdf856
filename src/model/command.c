/* Commands of people as JSON. */
#include "model/command.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

struct making { struct sw_buf b; struct sw_jw w; };

static void command_begin(struct making *m, const char *what)
{
	*m = (struct making){ 0 };
	sw_jw_init(&m->w, &m->b);
	sw_jw_obj(&m->w, NULL);
	sw_jw_str(&m->w, "t", "cmd");
	sw_jw_str(&m->w, "do", what);
}

static const char *command_end(struct making *m, struct sw_arena *a, const struct sw_decider *by)
{
	const char *ret;

	sw_jw_str(&m->w, "who", by->who);
	sw_jw_opt(&m->w, "via", by->via);
	sw_jw_int(&m->w, "at", by->at);
	sw_jw_obj_end(&m->w);
	ret = sw_arena_strndup(a, m->b.p, m->b.n);
	sw_buf_fini(&m->b);
	return ret;
}

bool sw_command_name_ok(const char *who)
{
	SW_CLEANUP(sw_buf_fini) struct sw_buf b = SW_BUF_INIT;

	sw_utf8_clean(&b, who, strlen(who), true);
	return *who && strlen(who) <= SW_COMMAND_NAME && strcmp(sw_buf_str(&b), who) == 0;
}

const char *sw_command_decide(struct sw_arena *a, const struct sw_decider *by, const char *act, bool yes, const char *decision)
{
	struct making m;

	command_begin(&m, yes ? "approve" : "refuse");
	sw_jw_str(&m.w, "act", act);
	sw_jw_str(&m.w, "decision", decision);
	return command_end(&m, a, by);
}

const char *sw_command_hold(struct sw_arena *a, const struct sw_decider *by, bool on, const char *why)
{
	struct making m;

	command_begin(&m, on ? "hold" : "release");
	sw_jw_opt(&m.w, "why", why);
	return command_end(&m, a, by);
}

const char *sw_command_cancel(struct sw_arena *a, const struct sw_decider *by, const char *watch)
{
	struct making m;

	command_begin(&m, "cancel");
	sw_jw_str(&m.w, "watch", watch);
	return command_end(&m, a, by);
}

const char *sw_command_ack(struct sw_arena *a, const struct sw_decider *by)
{
	struct making m;

	command_begin(&m, "ack");
	return command_end(&m, a, by);
}

const char *sw_command_label(struct sw_arena *a, const struct sw_decider *by, const char *deployment, bool good)
{
	struct making m;

	command_begin(&m, "label");
	sw_jw_str(&m.w, "dep", deployment);
	sw_jw_bool(&m.w, "good", good);
	return command_end(&m, a, by);
}

const char *sw_command_silence(struct sw_arena *a, const struct sw_decider *by, const struct sw_silence_cmd *s)
{
	struct making m;

	command_begin(&m, "silence");
	sw_jw_str(&m.w, "id", s->id);
	sw_jw_opt(&m.w, "service", s->service);
	sw_jw_opt(&m.w, "env", s->env);
	sw_jw_opt(&m.w, "rule", s->rule);
	sw_jw_opt(&m.w, "severity", s->severity);
	sw_jw_int(&m.w, "until", s->until);
	if (s->maintenance)
		sw_jw_bool(&m.w, "maintenance", true);
	sw_jw_opt(&m.w, "why", s->why);
	return command_end(&m, a, by);
}

const char *sw_command_silence_end(struct sw_arena *a, const struct sw_decider *by, const char *id)
{
	struct making m;

	command_begin(&m, "end");
	sw_jw_str(&m.w, "id", id);
	return command_end(&m, a, by);
}

const char *sw_silence_wrong(const struct sw_silence_cmd *s)
{
	static const char *const severities[] = { "info", "warning", "critical" };
	const char *texts[] = { s->service, s->env, s->rule, s->severity, s->why };
	bool known = !s->severity;

	for (size_t i = 0; i < SW_COUNT(texts); i++)
		if (texts[i] && strlen(texts[i]) > SILENCE_TEXT)
			return "a text has at most 200 bytes";
	for (size_t i = 0; i < SW_COUNT(severities); i++)
		known |= sw_streq(severities[i], s->severity);
	if (!known)
		return "severity: want info, warning or critical";
	if (!s->service && !s->env && !s->rule && !s->severity)
		return "want a service, an environment, a rule or a severity: without one it would be everything";
	if (s->maintenance && s->severity)
		return "maintenance goes with service, environment and rule: an action has no severity";
	return NULL;
}
