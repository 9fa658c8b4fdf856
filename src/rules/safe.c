/* The rules that apply when the configuration names none: they tell, they never act. */
#include "rules/rules.h"

const char sw_rules_safe[] =
	"- name: health-failing\n"
	"  on: deploy\n"
	"  if: health is failing for 3 checks\n"
	"  then: alert\n"
	"- name: deploy-failed\n"
	"  on: deploy-failed\n"
	"  then: alert\n"
	"- name: deploy-stuck\n"
	"  on: deploy-stuck\n"
	"  then: alert\n";
