// The rows of the curve of a dream that grows: from its events, and from its run where the page was not there, or was too busy.

const PAUSE = 2_000; // ms before the run is asked for what was missed

// `onChange(run or null)` after each change, with the details of the run if it was asked for.
export function createWatchedRows(api, onChange) {
  let rows = [];
  let timer = 0;
  let ended = false;

  const last = () => rows.at(-1)?.iteration ?? 0;

  async function fetchRun(run) {
    clearTimeout(timer);
    timer = 0;
    try {
      const answer = await api.get(`/api/runs/${run}`);
      if (ended) return;
      const newest = answer.rows.at(-1)?.iteration ?? 0;
      rows = [...answer.rows, ...rows.filter(({ iteration }) => iteration > newest)];
      onChange(answer);
    } catch {
      // It has no rows yet, or the studio is away: the events go on.
    }
  }

  return {
    get all() {
      return rows;
    },
    fetch: fetchRun,

    // The event at the end of an iteration has its terms; those before it tell of passes. A page may miss some.
    add({ octave, iteration, passes, seconds, loss, terms }, run) {
      if (!iteration || iteration <= last()) return;
      const isMissing = !terms || iteration > last() + 1;
      if (isMissing && run) timer ||= setTimeout(() => fetchRun(run), PAUSE);
      if (!terms) return;
      rows.push({ octave, iteration, passes, seconds, loss, terms });
      onChange(null);
    },

    destroy() {
      ended = true;
      clearTimeout(timer);
    },
  };
}
