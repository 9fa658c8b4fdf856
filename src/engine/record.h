/*
 * Records: what became of deployments, watches, actions and messages, for the history. They stand in the journal's line of the step,
 * {"at":…,"agg":"place:web/prod","in":[…],"recs":[{"k":"dep","d":{…}}, …]}, and are the whole of the thing as it is afterwards, so that
 * the last one counts and one read twice changes nothing.
 *
 *   k      aggregate  d
 *   dep    place      a deployment as the state of its place keeps it (state.c), whenever anything of it changed
 *   watch  place      a watch likewise, when its state, verdict, reason, until, fail_at, ended or fired changed
 *   act    place      an action likewise, whenever anything of it changed
 *   told   alert      {delivery, news, alert}: a change of an alert that people are told; alert as channels are given it
 *   way    alert, channel   {delivery, channel, state, tries, fallback, why}: where a message stands: waits, sending, sent, silenced, merged, dropped, dead
 *   try    alert, channel   {delivery, channel, n, class, detail, repeat}: what a channel answered
 *   ack    alert      {who}
 *   sil    silences   a silence as it is kept, when it was added or ended
 *   chan   channel    {name, state, why}: it cannot be used (down), it can again (up)
 *
 * Commands of people are in "in" as they came ({"t":"cmd","do":…,"who":…}); what arrived is in the lines of intake.
 */
