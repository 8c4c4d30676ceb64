// Libraries wait for seconds before they try again: here a tenth of that.
const setTimeoutAlone = globalThis.setTimeout;
globalThis.setTimeout = (work, milliseconds = 0, ...given) =>
  setTimeoutAlone(work, milliseconds >= 500 ? milliseconds / 10 : milliseconds, ...given);
