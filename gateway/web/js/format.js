/**
 * Numbers and times as people read them. Pure functions.
 * @module format
 */

/** 999 → "999", 1234 → "1.2K", 5300000 → "5.3M". */
export function compact(number) {
  const units = [[1e9, "B"], [1e6, "M"], [1e3, "K"]];
  for (const [size, unit] of units) {
    if (number >= size) {
      const scaled = number / size;
      return `${scaled >= 100 ? Math.floor(scaled) : Math.floor(scaled * 10) / 10}${unit}`;
    }
  }
  return String(number);
}

/** Seconds as a clock: 27 → "0:27", 3671 → "1:01:11". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const tail = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** How long ago, in the largest unit that fits: "just now", "5 min", "3 h", "2 d". */
export function ago(fromMs, nowMs) {
  const minutes = Math.floor((nowMs - fromMs) / 60000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h`;
  return `${Math.floor(minutes / 1440)} d`;
}

/** A distance to live, "1.4 s", and minutes once it is that much. */
export function distance(seconds) {
  return seconds < 100 ? `${Math.max(0, seconds).toFixed(1)} s` : clock(seconds);
}

/** "1 viewer", "2 viewers". */
export function counted(number, word) {
  return `${compact(number)} ${word}${number === 1 ? "" : "s"}`;
}
