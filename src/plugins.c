/* Every plug-in there is, in four NULL-ended tables; the order of sources is the order of detection. */
#include <string.h>

#include "shipwatch/plugin.h"
#include "plugins.h"

const struct sw_source *const sw_sources[] = {
	&sw_source_gitea, &sw_source_gitlab, &sw_source_github, &sw_source_report, &sw_source_alertmanager,
	&sw_source_cloudevents, &sw_source_generic, NULL,
};
const struct sw_signal *const sw_signals[] = { &sw_signal_health, &sw_signal_prometheus, &sw_signal_scrape, NULL };
const struct sw_channel *const sw_channels[] = {
	&sw_channel_dingtalk, &sw_channel_wecom, &sw_channel_feishu, &sw_channel_slack, &sw_channel_alertmanager,
	&sw_channel_email, &sw_channel_webhook, &sw_channel_console, NULL,
};
const struct sw_action *const sw_actions[] = {
	&sw_action_http, &sw_action_exec, &sw_action_gitlab, &sw_action_github, NULL,
};

#define FIND(type, table)                                                                                              \
	const struct type *type##_find(const char *kind)                                                               \
	{                                                                                                              \
		for (size_t i = 0; table[i]; i++)                                                                      \
			if (strcmp(table[i]->base.name, kind) == 0)                                                    \
				return table[i];                                                                       \
		return NULL;                                                                                           \
	}

FIND(sw_source, sw_sources)
FIND(sw_signal, sw_signals)
FIND(sw_channel, sw_channels)
FIND(sw_action, sw_actions)
