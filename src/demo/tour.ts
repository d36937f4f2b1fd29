/** What the demo prints: statements to paste, and what they give once history has been played (checked by demo.e2e.ts). */

export interface TourStop {
  readonly about: string;
  readonly text: string;
  /** As psql shows it; null: it changes for ever, or is not worth showing. */
  readonly shown: string | null;
}

export const TOUR: readonly TourStop[] = [
  {
    about: 'How far history has been played, and what is in it (repeat it with \\watch 1)',
    text: 'SELECT max(hour) AS played_until, sum(flights) AS flights FROM delays_per_hour;',
    shown: `    played_until     | flights
---------------------+---------
 2001-03-31 22:00:00 |   20000
(1 row)`,
  },
  {
    about: 'The worst hours of an airport (TUMBLE: one row per airport and hour)',
    text: 'SELECT * FROM delays_per_hour WHERE flights >= 4 ORDER BY avg_delay DESC, hour LIMIT 5;',
    shown: ` origin |        hour         | flights | avg_delay | worst
--------+---------------------+---------+-----------+-------
 DFW    | 2001-02-24 11:00:00 |       4 |      93.0 |   103
 ORD    | 2001-01-05 21:00:00 |       4 |      65.8 |   181
 ORD    | 2001-02-14 17:00:00 |       4 |      62.3 |   130
 ORD    | 2001-03-15 19:00:00 |       4 |      58.8 |   113
 ORD    | 2001-03-16 16:00:00 |       4 |      56.8 |   148
(5 rows)`,
  },
  {
    about: 'The worst days, in windows of a day that move by six hours (HOP, final rows only)',
    text: 'SELECT * FROM delays_rolling WHERE flights > 100 ORDER BY avg_delay DESC, window_end LIMIT 5;',
    shown: `     window_end      | flights | avg_delay | late_flights
---------------------+---------+-----------+--------------
 2001-02-26 00:00:00 |     209 |      28.5 |           83
 2001-02-26 06:00:00 |     213 |      27.7 |           83
 2001-02-25 18:00:00 |     203 |      26.2 |           77
 2001-02-26 12:00:00 |     238 |      25.7 |           88
 2001-02-25 00:00:00 |     207 |      24.6 |           81
(5 rows)`,
  },
  {
    about: 'Spells in which an airport had no hour without a departure (SESSION)',
    text: 'SELECT * FROM busy_spells ORDER BY flights DESC, began, origin LIMIT 5;',
    shown: ` origin |        began        |        ended        | flights
--------+---------------------+---------------------+---------
 ORD    | 2001-02-06 15:11:00 | 2001-02-06 21:46:00 |      11
 ORD    | 2001-01-18 11:58:00 | 2001-01-18 16:53:00 |      10
 DFW    | 2001-02-01 09:23:00 | 2001-02-01 14:15:00 |      10
 DFW    | 2001-01-23 09:11:00 | 2001-01-23 11:57:00 |       9
 ORD    | 2001-03-17 06:43:00 | 2001-03-17 10:00:00 |       9
(5 rows)`,
  },
  {
    about: 'The busiest routes (a view that is itself a top ten)',
    text: 'SELECT * FROM top_routes ORDER BY flights DESC, origin, destination;',
    shown: ` origin | destination | flights | avg_delay
--------+-------------+---------+-----------
 LAX    | PHX         |      59 |       9.2
 LAX    | LAS         |      56 |      15.2
 PHX    | LAX         |      56 |      14.3
 LAS    | LAX         |      53 |      10.6
 LAX    | SJC         |      50 |      13.3
 ORD    | MSP         |      49 |       1.7
 EWR    | ORD         |      48 |       4.1
 PHX    | LAS         |      48 |      19.9
 LGA    | BOS         |      46 |      -6.8
 DCA    | LGA         |      44 |      -1.8
(10 rows)`,
  },
  {
    about: 'Joined to a table: change the table, and the view follows',
    text: 'SELECT * FROM delays_by_state ORDER BY avg_delay DESC, state LIMIT 5;',
    shown: ` state | flights | avg_delay
-------+---------+-----------
 ME    |      41 |      12.6
 MA    |     374 |      12.5
 WA    |     390 |      12.5
 AK    |     113 |      11.5
 RI    |      94 |      11.5
(5 rows)`,
  },
  {
    about: 'Volume: 2,000 events a second of the Nexmark auction site',
    text: 'SELECT * FROM bids_per_channel ORDER BY channel;',
    shown: null,
  },
];
