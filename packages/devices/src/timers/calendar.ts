/** Days and dates of the proleptic Gregorian calendar, and the user's way to write a point in time. */
import { ConfigError } from "@castaway/kit";

/** A point in time in UTC. `month` and `day` count from 1. */
export type CivilTime = { year: number; month: number; day: number; hour: number; minute: number; second: number };

const DAY = 86400;
const DAYS_OF_400_YEARS = 146097;
/** From March 1st of year 0 to January 1st 1970. */
const DAYS_TO_1970 = 719468;

/** Seconds from 1970 on. Values beyond their ranges carry: minute 61 is minute 1 of the next hour. */
export function secondsOf({ year, month, day, hour, minute, second }: CivilTime): number {
  // Years that begin in March have the leap day at their end: 153 days in any five months from there.
  const shifted = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leaps = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return (365 * shifted + leaps + dayOfYear - DAYS_TO_1970) * DAY + hour * 3600 + minute * 60 + second;
}

/** The date and time `seconds` after 1970. */
export function civilTime(seconds: number): CivilTime {
  const days = Math.floor(seconds / DAY);
  const time = seconds - days * DAY;
  const since = days + DAYS_TO_1970;
  const era = Math.floor(since / DAYS_OF_400_YEARS);
  const dayOfEra = since - era * DAYS_OF_400_YEARS;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36524) + Math.floor(dayOfEra / 146096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const month = (Math.floor((5 * dayOfYear + 2) / 153) + 2) % 12;
  return {
    year: yearOfEra + era * 400 + (month < 2 ? 1 : 0),
    month: month + 1,
    day: dayOfYear - Math.floor((153 * ((month + 10) % 12) + 2) / 5) + 1,
    hour: Math.floor(time / 3600),
    minute: Math.floor(time / 60) % 60,
    second: time % 60,
  };
}

/** Monday is 1, Sunday 7. */
export function weekday(seconds: number): number {
  return ((((Math.floor(seconds / DAY) + 3) % 7) + 7) % 7) + 1;
}

/**
 * Seconds from 1970 on of a user's `"2024-02-29T12:00:00Z"`; hours, or seconds, may be left out, and it is always UTC.
 * @param setting the setting that it was given for, for the error message
 * @throws ConfigError if there is no such time
 */
export function parseTime(text: string, setting = "start"): number {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?Z?)?$/.exec(text);
  const [year, month, day, hour, minute, second] = (match ?? []).slice(1).map((digits) => Number(digits ?? 0));
  const seconds = match ? secondsOf({ year, month, day, hour, minute, second }) : 0;
  const again = civilTime(seconds);
  const same = again.year === year && again.month === month && again.day === day && again.hour === hour;
  if (match && same && again.minute === minute && again.second === second) return seconds;
  throw new ConfigError(setting, text, 'a time in UTC such as "2024-02-29T12:00:00Z", of the years 0000 to 9999');
}
