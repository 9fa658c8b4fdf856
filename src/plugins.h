/* The names of all plug-ins, for plugins.c. */
#ifndef SW_PLUGINS_H
#define SW_PLUGINS_H

#include "shipwatch/plugin.h"

extern const struct sw_source sw_source_github, sw_source_gitlab, sw_source_gitea, sw_source_report, sw_source_alertmanager,
	sw_source_cloudevents, sw_source_generic;
extern const struct sw_signal sw_signal_health, sw_signal_prometheus, sw_signal_scrape;
extern const struct sw_channel sw_channel_dingtalk, sw_channel_wecom, sw_channel_feishu, sw_channel_slack, sw_channel_alertmanager,
	sw_channel_email, sw_channel_webhook, sw_channel_console;
extern const struct sw_action sw_action_http, sw_action_exec, sw_action_gitlab, sw_action_github;

#endif
