/* The live page: takes what changes in the run from the server that sent the page. */
"use strict";

(function () {
  const AGAIN_MS = 2000;
  const WORDS = {
    live: "Live: the run goes on, and this page follows it.",
    ended: "Ended: the run is over. This page is its report.",
    connecting: "Connecting ..",
    disconnected:
      "Disconnected: this page shows the run as it was. It tries again by itself; if the viewer " +
      "was ended, start it with: prisam view RUN",
  };

  const { store } = prisam;
  const at = JSON.parse(document.getElementById("live").textContent);
  let mark = at.after; // what this page has: the server sends what is newer
  let source = null;
  let timer = null;
  let left = false; // the server has said that it ends

  /** Show in what state the page is; screen readers are told when it changes. */
  function say(state) {
    const banner = document.getElementById("banner");
    if (banner.dataset.state === state) return;
    banner.dataset.state = state;
    banner.textContent = WORDS[state];
  }

  const isOver = () => store.facts.status !== "running";

  function take(event, put) {
    put(JSON.parse(event.data));
    mark = event.lastEventId; // after it was taken, so that nothing is missed
    say(isOver() ? "ended" : "live");
  }

  function open() {
    close();
    left = false;
    source = new EventSource(`${at.events}&after=${encodeURIComponent(mark)}`);
    source.addEventListener("open", () => say(isOver() ? "ended" : "live"));
    source.addEventListener("update", (event) => take(event, (update) => store.upsert(update)));
    source.addEventListener("snapshot", (event) =>
      take(event, (payload) => store.replace(payload)),
    );
    source.addEventListener("bye", () => {
      left = true;
    });
    source.addEventListener("error", lost);
  }

  /** The connection is gone: come back soon, and say what this page has. */
  function lost() {
    close();
    const done = left && isOver(); // the run has ended, and the viewer with it
    say(done ? "ended" : "disconnected");
    if (!done && !document.hidden) timer = setTimeout(open, AGAIN_MS);
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function start() {
    say("connecting");
    if (!document.hidden) open();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden)
        close(); // nobody looks: the viewer need not read
      else if (!(left && isOver())) open();
    });
  }

  prisam.live = { start };
})();
