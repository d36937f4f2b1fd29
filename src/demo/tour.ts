/** What the demo prints: statements to paste, and what they give once history has been played (checked by demo.e2e.ts). */

export interface TourStop {
  readonly about: string;
  readonly text: string;
  /** As psql shows it; null: it changes for ever. */
  readonly shown: string | null;
}

export const TOUR: readonly TourStop[] = [
  {
    about: 'How far history has been played, and what is in it (repeat it with \\watch 1)',
    text: 'SELECT max(hour) AS played_until, sum(flights) AS flights FROM delays_per_hour;',
    shown: null,
  },
  {
    about: 'The worst hours at Chicago (TUMBLE: one row per airport and hour)',
    text: "SELECT * FROM delays_per_hour WHERE origin = 'ORD' ORDER BY avg_delay DESC LIMIT 5;",
    shown: null,
  },
  {
    about: 'The worst days, in windows of a day that move by six hours (HOP, final rows only)',
    text: 'SELECT * FROM delays_rolling ORDER BY avg_delay DESC LIMIT 5;',
    shown: null,
  },
  {
    about: 'Spells in which an airport had no half hour without a departure (SESSION)',
    text: 'SELECT * FROM busy_spells ORDER BY flights DESC, began LIMIT 5;',
    shown: null,
  },
  {
    about: 'The busiest routes (a view that is itself a top ten)',
    text: 'SELECT * FROM top_routes ORDER BY flights DESC, origin, destination;',
    shown: null,
  },
  {
    about: 'Joined to a table: change the table, and the view follows',
    text: 'SELECT * FROM delays_by_state ORDER BY avg_delay DESC LIMIT 5;',
    shown: null,
  },
  {
    about: 'Volume: 2,000 events a second of the Nexmark auction site',
    text: 'SELECT * FROM bids_per_channel ORDER BY channel;',
    shown: null,
  },
];
