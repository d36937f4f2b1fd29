/** What the demo creates, in the order of creation; the statements are printed, so they are laid out to be read. */

import { flightsThroughKafka, KAFKA_VIEWS, sinkToKafka } from './through-kafka.ts';

/** History is played this many times faster than it happened: 90 days in 78 seconds. */
export const REPLAY_SPEED = 100_000;

export const AIRPORTS_TABLE = `CREATE TABLE airports (
  iata TEXT PRIMARY KEY, name TEXT, city TEXT, state TEXT, country TEXT,
  latitude DOUBLE PRECISION, longitude DOUBLE PRECISION)`;

/** All in one transaction: every view starts with the same row. `brokers`: Kafka that the flights come through; null: none. */
export function demoObjects(replaySpeed: number, brokers: string | null): readonly string[] {
  const flights = [
    `CREATE SOURCE flights (
  departed TIMESTAMP, delay INTEGER, distance INTEGER, origin TEXT, destination TEXT,
  WATERMARK FOR departed AS departed - INTERVAL '10 minutes')
WITH (connector = 'file', path = 'flights.csv.gz', replay.column = 'departed', replay.speed = ${replaySpeed})
FORMAT PLAIN ENCODE CSV (header = true)`,
    ...FLIGHT_VIEWS,
  ];
  const throughKafka = (address: string) => [
    ...flightsThroughKafka(replaySpeed, address),
    ...FLIGHT_VIEWS,
    ...KAFKA_VIEWS,
    sinkToKafka(address),
  ];
  return [...(brokers === null ? flights : throughKafka(brokers)), BIDS, BID_VIEW];
}

const FLIGHT_VIEWS = [
  `CREATE MATERIALIZED VIEW delays_per_hour AS
SELECT origin, window_start AS hour, count(*) AS flights, round(avg(delay), 1) AS avg_delay, max(delay) AS worst
FROM TUMBLE(flights, departed, INTERVAL '1 hour')
GROUP BY origin, window_start, window_end`,
  `CREATE MATERIALIZED VIEW delays_rolling AS
SELECT window_end, count(*) AS flights, round(avg(delay), 1) AS avg_delay,
  count(*) FILTER (WHERE delay > 15) AS late_flights
FROM HOP(flights, departed, INTERVAL '6 hours', INTERVAL '1 day')
GROUP BY window_start, window_end
EMIT ON WINDOW CLOSE`,
  `CREATE MATERIALIZED VIEW busy_spells AS
SELECT origin, window_start AS began, window_end AS ended, count(*) AS flights
FROM SESSION(flights PARTITION BY origin, departed, INTERVAL '1 hour')
GROUP BY origin, window_start, window_end
HAVING count(*) >= 8`,
  `CREATE MATERIALIZED VIEW top_routes AS
SELECT origin, destination, count(*) AS flights, round(avg(delay), 1) AS avg_delay
FROM flights GROUP BY origin, destination
ORDER BY flights DESC, origin, destination LIMIT 10`,
  `CREATE MATERIALIZED VIEW delays_by_state AS
SELECT a.state, count(*) AS flights, round(avg(f.delay), 1) AS avg_delay
FROM flights f JOIN airports a ON a.iata = f.origin
GROUP BY a.state`,
];

/** The Nexmark auction site, endless, at a rate that a laptop does not notice. */
const BIDS = `CREATE SOURCE bids (channel TEXT, price BIGINT, date_time TIMESTAMP)
WITH (connector = 'nexmark', nexmark.table.type = 'bid', nexmark.event.rate = 2000)`;

const BID_VIEW = `CREATE MATERIALIZED VIEW bids_per_channel AS
SELECT channel, count(*) AS bids, max(price) AS highest
FROM bids WHERE channel NOT LIKE 'channel-%' GROUP BY channel`;
