/* Which pages there are. Each is a file page_*.c; what they share is in pieces.c, rows.c, chart.c and sums.c. */
#include "dashboard/pages.h"

const struct route sw_routes_pages[] = {
	{ "GET", "/", SW_ROLE_VIEWER, SW_NEEDS_STATUS, page_overview },
	{ "GET", "/builds", SW_ROLE_VIEWER, 0, page_build_list },
	{ "GET", "/builds/", SW_ROLE_VIEWER, 0, page_build },
	{ "GET", "/deployments", SW_ROLE_VIEWER, 0, page_deployment_list },
	{ "GET", "/deployments/", SW_ROLE_VIEWER, 0, page_deployment },
	{ "GET", "/watches/", SW_ROLE_VIEWER, 0, page_to_watch },
	{ "GET", "/alerts", SW_ROLE_VIEWER, 0, page_alert_list },
	{ "GET", "/alerts/", SW_ROLE_VIEWER, 0, page_alert },
	{ "GET", "/inbox", SW_ROLE_VIEWER, 0, page_inbox },
	{ "GET", "/rules", SW_ROLE_VIEWER, 0, page_rule_list },
	{ "GET", "/events", SW_ROLE_VIEWER, 0, page_event_list },
	{ "GET", "/events/", SW_ROLE_VIEWER, 0, page_event },
	{ "GET", "/search", SW_ROLE_VIEWER, 0, page_search },
	{ "GET", "/dead", SW_ROLE_VIEWER, SW_NEEDS_DEAD, page_dead_list },
	{ "GET", "/dead/", SW_ROLE_VIEWER, SW_NEEDS_DEAD, page_dead },
	{ "GET", "/silences", SW_ROLE_VIEWER, SW_NEEDS_SILENCES, page_silence_list },
	{ "GET", "/approvals", SW_ROLE_VIEWER, 0, page_approvals },
	{ "GET", "/decisions", SW_ROLE_VIEWER, 0, page_decisions },
	{ "GET", "/status", SW_ROLE_VIEWER, SW_NEEDS_STATUS, page_status },
	{ 0 },
};
