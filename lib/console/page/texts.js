/** A duration in words, such as `3 min`. */
export function durationText(ms) {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}

/** When the application has received a value; `undefined` if it has none. */
export const receivedAt = ({ ageMs, state }, now = Date.now()) =>
  Number.isFinite(ageMs) && state !== 'absent' ? now - ageMs : undefined;

/** A point in time, with its date unless it is today. */
export function timeText(time) {
  if (!time) return 'none';
  const date = new Date(time);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? date.toLocaleTimeString() : date.toLocaleString();
}

const TONES = {
  valid: 'good',
  following: 'good',
  ready: 'good',
  owner: 'good',
  held: 'good',
  leader: 'good',
  registered: 'good',
  invalid: 'bad',
  interrupted: 'bad',
  stale: 'bad',
  degraded: 'bad',
  closed: 'bad',
  missing: 'bad',
  lost: 'bad',
  halted: 'bad',
  behind: 'bad',
  unreadable: 'bad',
  free: 'bad',
  failed: 'bad',
};

/** The tone of a state's badge: `good`, `bad` or `neutral`. */
export const stateTone = (state) => (Object.hasOwn(TONES, state) ? TONES[state] : 'neutral');
