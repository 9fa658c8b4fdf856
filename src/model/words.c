/* The words of ours in a message: a word is one row, a language one column. */
#include "model/words.h"

#include <string.h>

/* clang-format off */
static const char *const words[SW_WORDS][2] = {
	[SW_W_BEFORE] = { "before", "部署前" }, [SW_W_LIMIT] = { "limit", "阈值" }, [SW_W_VERSION] = { "version", "版本" }, [SW_W_COMMIT] = { "commit", "提交" },
	[SW_W_ALARM] = { "alarm", "告警" },
	[SW_W_MORE] = { "… +", "… 另有 " }, [SW_W_MORE_END] = { " more", " 项" },
	[SW_W_DRY] = { "dry run", "演练" }, [SW_W_REPEAT] = { "may be a repeat", "可能重复" },
	[SW_W_RESOLVED] = { "resolved", "已恢复" }, [SW_W_COLON] = { ": ", "：" }, [SW_W_COMMA] = { ", ", "，" },
	[SW_W_WAITED] = { " messages waited", " 条消息被合并" }, [SW_W_SINCE] = { "since", "自" }, [SW_W_OTHERS] = { "others", "其他" },
	[SW_W_FIRING] = { "firing", "触发" }, [SW_W_NOTICE] = { "notice", "通知" }, [SW_W_UNLISTED] = { "not listed", "未列出" },
	[SW_W_UNTIL] = { "asked until", "批准截止时间" }, [SW_W_ELSE_NOT] = { "without an answer nothing is done", "无人答复则不回滚" },
	[SW_W_ELSE_DONE] = { "without an answer it begins", "无人答复则自动回滚" }, [SW_W_DECIDE] = { "to decide", "答复命令" },
};
static const char *const severities[][2] = {
	{ "info", "提示" }, { "warning", "警告" }, { "critical", "严重" },
};
static const char *const links[SW_LINK_COUNT][2] = {
	{ "approve or refuse", "批准或拒绝" }, { "CI log", "CI 日志" }, { "compare", "代码对比" }, { "environment", "环境" }, { "dashboard", "看板" },
	{ "runbook", "处理手册" }, { "logs", "日志" }, { "alarm", "告警来源" },
};
static const char *const news_words[SW_NEWS_COUNT][2] = {
	[SW_NEWS_INCONCLUSIVE] = { "inconclusive", "无法判断" },
	[SW_NEWS_ROLLBACK_WAITING] = { "rollback waits for approval", "回滚等待批准" },
	[SW_NEWS_ROLLBACK_APPROVED] = { "the rollback may begin", "回滚可以开始" },
	[SW_NEWS_ROLLBACK_STARTED] = { "rollback started", "回滚已开始" },
	[SW_NEWS_ROLLBACK_DONE] = { "rolled back", "回滚完成" },
	[SW_NEWS_ROLLBACK_FAILED] = { "rollback failed", "回滚失败" },
	[SW_NEWS_ROLLBACK_UNKNOWN] = { "outcome of the rollback is unknown", "回滚结果未知" },
	[SW_NEWS_ROLLBACK_SKIPPED] = { "no rollback", "未执行回滚" },
	[SW_NEWS_ROLLBACK_INEFFECTIVE] = { "the rollback did not help", "回滚后仍异常" },
	[SW_NEWS_REMINDER] = { "still so, and nobody has it in hand", "仍未恢复，且无人认领" },
	[SW_NEWS_ACKED] = { "somebody has it in hand", "已有人认领" },
	[SW_NEWS_CLOSED] = { "closed", "已关闭" },
	[SW_NEWS_DIGEST] = { "digest", "消息汇总" },
	[SW_NEWS_CHANNEL_DOWN] = { "a channel cannot be used, its messages come here", "通知渠道不可用，其消息转到这里" },
	[SW_NEWS_CHANNEL_UP] = { "the channel is used again", "通知渠道已恢复" },
	[SW_NEWS_FLAPPING] = { "fires and resolves again and again, told again once it is calm", "反复触发与恢复，平稳后再通知" },
	[SW_NEWS_STEADY_FIRING] = { "calm again, and it still fires", "已平稳，仍在触发" },
	[SW_NEWS_STEADY_RESOLVED] = { "calm again, it is resolved", "已平稳，已恢复" },
	[SW_NEWS_QUOTA] = { "the calls of this month run out", "本月调用额度即将用完" },
};
/* Why a watch ended as it did: the word of programs, then what people read. */
static const struct { const char *reason, *words[2]; } reasons[] = {
	{ "evidence", { "the condition held", "指标异常" } }, { "no-data", { "no data", "没有数据" } }, { "pre-existing", { "it was so before", "部署前已异常" } },
	{ "common-cause", { "others fail too", "共同原因" } }, { "transient", { "it went away", "短暂异常" } }, { "newer", { "a newer deployment", "已有更新的部署" } },
	{ "operator", { "ended by a person", "人工操作" } }, { "deadline", { "out of time", "超过时限" } }, { "lost", { "data was lost", "数据丢失" } },
};
/* Words of the engine and of events, that Chinese readers get translated. */
static const char *const known[][2] = {
	{ "fail", "失败" }, { "pass", "通过" }, { "inconclusive", "无法判断" }, { "success", "成功" },
	{ "failed", "失败" }, { "superseded", "已被取代" }, { "cancelled", "已取消" }, { "skipped", "已跳过" },
	{ "running", "进行中" }, { "created", "已创建" }, { "other", "其他" }, { "inactive", "已失效" },
	{ "deployment", "部署" }, { "pipeline", "流水线" }, { "push", "推送" }, { "tag", "标签" }, { "job", "任务" },
	{ "release", "发布" }, { "merge", "合并" }, { "report", "报告" },
	{ "alarm", "告警" }, { "firing", "触发" }, { "resolved", "已恢复" },
	/* state of a rollback */
	{ "none", "无" }, { "already", "已决定过" }, { "proposed", "待执行" }, { "postponed", "已推迟" },
	{ "starting", "即将开始" }, { "started", "已开始" }, { "waiting", "等待批准" }, { "asking", "等待批准" }, { "done", "完成" },
	{ "unknown", "结果未知" }, { "verified", "已确认恢复" }, { "ineffective", "未见效" }, { "dry-run", "演练" },
	/* and its details, as src/engine/act.c has them */
	{ "no rollback is configured for this place", "此环境没有配置回滚" },
	{ "a rollback of this deployment was decided before", "此次部署已决定过回滚" },
	{ "would have been started now", "若非演练，此刻会开始" },
	{ "too many actions at this place are under way", "此环境正在执行的操作过多" },
	{ "a newer deployment is running", "有更新的部署正在进行" },
	{ "a newer deployment succeeded", "更新的部署已成功" },
	{ "this deployment is a rollback itself", "此次部署本身就是回滚" },
	{ "the same commit ran here before: taking it back changes nothing", "部署前运行的就是同一提交，回滚没有意义" },
	{ "concurrent deployments: nobody knows which of them runs", "多个部署同时进行，无法确定正在运行哪一个" },
	{ "migrations were changed: a person has to decide", "包含数据库迁移，需人工决定" },
	{ "labelled no-rollback: a person has to decide", "标有 no-rollback，需人工决定" },
	{ "labelled migrations: a person has to decide", "标有 migrations，需人工决定" },
	{ "whether migrations were changed is not known: a person has to decide", "不确定是否包含数据库迁移，需人工决定" },
	{ "3 actions were started in 10 min over all places: everything is on hold", "10 分钟内已执行 3 次操作，全部暂停" },
	{ "it was started before", "之前已开始过" }, { "on hold", "已暂停" },
	{ "3 actions began within 10 minutes; this one would have been the fourth", "10 分钟内已开始 3 次操作，这将是第 4 次" },
	{ "rollbacks of this place are at their limit", "此环境的回滚次数已达上限" },
	{ "backlog", "有事件尚未处理" }, { "spool", "有事件尚在网关缓存中" }, { "redis-back", "Redis 刚刚恢复" },
	{ "other services fail too", "其他服务也出现异常" }, { "the source of the signals does not answer", "指标来源没有回应" },
	{ "this place is in maintenance", "此环境处于维护中" },
	{ "this action is not configured any more", "此操作已不在配置中" },
	{ "its deployment is not known any more", "已不知道此操作针对的部署" },
	{ "no answer", "没有回应" }, { "did not end within its time and was stopped", "未在时限内结束，已被终止" },
	{ "the configuration has no such action any more", "此操作已不在配置中" },
	{ "cancelled by an operator", "已由操作人员取消" },
	{ "given up: it could not be started in time", "未能及时开始，已放弃" },
	{ "no outcome within its time: it may or may not have run, it is not tried again", "超时未得到结果：可能已执行，不会重试" },
	{ "the condition still holds 5 min after the rollback", "回滚 5 分钟后条件仍然成立" },
	{ "the condition still holds 30 min after the rollback was started, its run was not seen to end",
	  "回滚启动 30 分钟后条件仍然成立，未见其运行结束" },
	{ "no verified good deployment is known", "没有已确认良好的部署可供回滚" },
	{ "nobody answered in time", "超时无人答复" }, { "another rule asks nobody", "另一条规则无需批准" },
	{ "the condition does not hold any more", "条件已不再成立" }, { "a dry run by now", "现为演练" },
	{ "what it goes back to is another by now", "回滚目标已改变" }, { "its deployment is not known any more", "该部署已不再有记录" },
	{ "a person would have been asked now", "若非演练，此刻会请人批准" },
	{ "Redis went back in time: what was decided may be lost", "Redis 数据回退：之前的决定可能丢失" },
	{ "its own run was seen", "已收到回滚运行本身的事件" },
	{ "its own deployment failed", "回滚自身的部署失败" },
	{ "its own deployment failed: the host prevents outdated deployments", "回滚自身的部署失败：代码平台禁止过期的部署任务" },
	{ "its own deployment failed: artifacts that it needs have expired", "回滚自身的部署失败：所需的构建产物已过期" },
	{ "its own deployment failed: the environment is protected", "回滚自身的部署失败：环境受保护" },
	{ "its own deployment failed: the job is archived", "回滚自身的部署失败：任务已归档" },
	{ "its own deployment failed: no runner took it, or it took too long", "回滚自身的部署失败：没有 Runner 执行，或执行超时" },
	/* what hosts answer, as src/action has them; in brackets behind it stands what the host said itself */
	{ "a pipeline was started", "流水线已启动" }, { "a job was started", "任务已启动" },
	{ "a deployment was made", "已创建部署" }, { "a workflow was started", "工作流已启动" },
	{ "an event was sent to the workflows", "已向工作流发送事件" }, { "a run was started again", "已重新运行" },
	{ "refused", "被拒绝" }, { "refused because of too many requests, nothing was done", "请求过于频繁被拒绝，未执行任何操作" },
	{ "sent on to another address, which is not followed", "被重定向到其他地址，未跟随" },
	{ "an error over there: it may or may not have been done", "对方出错：可能已执行，也可能未执行" },
	{ "the answer is none of GitLab's: it may or may not have been done", "回应不是 GitLab 的格式：可能已执行，也可能未执行" },
	{ "the answer is none of GitHub's: it may or may not have been done", "回应不是 GitHub 的格式：可能已执行，也可能未执行" },
	{ "what it needs to know could not be asked, nothing was done", "无法查询所需信息，未执行任何操作" },
	{ "no time was left to do it, nothing was done", "剩余时间不足，未执行任何操作" },
	{ "it would take too many requests, nothing was done", "所需请求过多，未执行任何操作" },
	{ "GitLab does not accept the token", "GitLab 不接受该令牌" }, { "GitHub does not accept the token", "GitHub 不接受该令牌" },
	{ "the token lacks the scope api", "令牌缺少 api 权限范围" },
	{ "the token's user may not do this: its role, a protected branch or a protected environment",
	  "令牌用户无权执行：角色不足，或分支、环境受保护" },
	{ "the token may not do this: a permission is missing", "令牌权限不足" },
	{ "GitLab shows no such project, job or token: not there, no access, or a protected environment",
	  "GitLab 找不到该项目、任务或令牌：不存在、无权访问，或环境受保护" },
	{ "GitHub shows no such repository, workflow or run: not there, or the token lacks the permission",
	  "GitHub 找不到该仓库、工作流或运行：不存在，或令牌权限不足" },
	{ "GitLab does not run this job again: it is not the newest of its name, too old, or outdated deployments are prevented",
	  "GitLab 不允许重新运行该任务：不是同名任务中最新的、已过旧，或禁止过期的部署任务" },
	{ "the job cannot be started now: it ran already, or waits for others, nothing was done",
	  "任务现在无法启动：已运行过，或在等待其他任务，未执行任何操作" },
	{ "artifacts that it needs have expired", "所需的构建产物已过期" },
	{ "there is no such branch or tag", "没有这个分支或标签" }, { "there is no such branch, tag or commit", "没有这个分支、标签或提交" },
	{ "the token's user may not set variables of pipelines", "令牌用户无权设置流水线变量" },
	{ "GitLab refuses the request", "GitLab 拒绝了请求" }, { "GitHub refuses the request", "GitHub 拒绝了请求" },
	{ "GitHub merged instead of deploying", "GitHub 执行了合并而不是部署" },
	{ "GitHub sees a conflict: checks of the commit have not passed, or it cannot be deployed now",
	  "GitHub 报告冲突：提交的检查未通过，或现在无法部署" },
	{ "the workflow cannot be dispatched: it has no workflow_dispatch, or is disabled", "工作流无法手动触发：没有 workflow_dispatch，或已停用" },
	{ "the workflow wants other inputs", "工作流要求的输入不符" }, { "the run is too old to be run again", "该运行过旧，无法重新运行" },
	{ "the run of the last good deployment runs right now, nothing was done", "上次良好部署的运行正在进行，未执行任何操作" },
	{ "the run of the last good deployment is of another commit, nothing was done", "上次良好部署的运行属于其他提交，未执行任何操作" },
	{ "the run of the last good deployment is not known", "不知道上次良好部署的运行" },
	{ "the job of the last good deployment is not known", "不知道上次良好部署的任务" },
	{ "the job of the last good deployment is of another commit now, nothing was done", "上次良好部署的任务属于其他提交，未执行任何操作" },
	{ "the job of the last good deployment is archived, nothing was done", "上次良好部署的任务已归档，未执行任何操作" },
	{ "the job of the last good deployment cannot be run again now, nothing was done", "上次良好部署的任务现在无法重新运行，未执行任何操作" },
	{ "the last good deployment is of another project", "上次良好部署属于其他项目" },
	{ "the last good deployment does not say this", "上次良好部署缺少此信息" },
	{ "the pipeline of this deployment is not known", "不知道此次部署的流水线" },
	{ "the pipeline of this deployment has no such job", "此次部署的流水线没有这个任务" },
};
/* clang-format on */

const char *sw_word(enum sw_word w, enum sw_locale l)
{
	return words[w][l];
}

const char *sw_word_severity(enum sw_severity s, enum sw_locale l)
{
	return severities[s][l];
}

const char *sw_word_link(enum sw_link_kind k, enum sw_locale l)
{
	return links[k][l];
}

const char *sw_word_news(enum sw_alert_news n, enum sw_locale l)
{
	return news_words[n][l];
}

const char *sw_word_reason(const char *s, enum sw_locale l)
{
	for (size_t i = 0; s && i < SW_COUNT(reasons); i++)
		if (strcmp(reasons[i].reason, s) == 0)
			return reasons[i].words[l];
	return s;
}

const char *sw_word_known(const char *s, enum sw_locale l)
{
	for (size_t i = 0; s && l == SW_LOCALE_ZH && i < SW_COUNT(known); i++)
		if (strcmp(known[i][0], s) == 0)
			return known[i][1];
	return s;
}
