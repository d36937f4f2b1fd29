/**
 * `millrace demo --kafka`: the flights go from the file into a topic and come back from there, and a view goes out into another
 * topic. A partition holds its flights in the order of time (a sink writes each epoch by its first column), so none is late.
 */

import type { TourStop } from './tour.ts';

export const KAFKA_TOPICS: readonly string[] = ['flights', 'delays_rolling'];
export const PARTITION_COUNT = 4;

const topic = (name: string, brokers: string): string =>
  `connector = 'kafka', topic = '${name}', properties.bootstrap.server = '${brokers}'`;

/** `brokers`: host:port, several separated by commas. */
export function flightsThroughKafka(replaySpeed: number, brokers: string): readonly string[] {
  return [
    `CREATE SOURCE departures (
  departed TIMESTAMP, delay INTEGER, distance INTEGER, origin TEXT, destination TEXT)
WITH (connector = 'file', path = 'flights.csv.gz', replay.column = 'departed', replay.speed = ${replaySpeed})
FORMAT PLAIN ENCODE CSV (header = true)`,
    `CREATE SINK departures_to_kafka FROM departures
WITH (${topic('flights', brokers)}, primary_key = 'origin')
FORMAT PLAIN ENCODE JSON`,
    `CREATE SOURCE flights (
  departed TIMESTAMP, delay INTEGER, distance INTEGER, origin TEXT, destination TEXT,
  WATERMARK FOR departed AS departed - INTERVAL '10 minutes')
INCLUDE PARTITION AS part
WITH (${topic('flights', brokers)})
FORMAT PLAIN ENCODE JSON`,
  ];
}

export const KAFKA_VIEWS: readonly string[] = [
  `CREATE MATERIALIZED VIEW flights_per_partition AS
SELECT part, count(DISTINCT origin) AS airports, count(*) AS flights
FROM flights GROUP BY part`,
];

export function sinkToKafka(brokers: string): string {
  return `CREATE SINK delays_to_kafka FROM delays_rolling
WITH (${topic('delays_rolling', brokers)}, delivery = 'exactly-once')
FORMAT PLAIN ENCODE JSON`;
}

/** What there is to see besides. */
export function kafkaTour(brokers: string): readonly TourStop[] {
  return [
    {
      about:
        'Topic flights: JSON with the airport as key, so all flights of an airport are in one partition',
      text: 'SELECT * FROM flights_per_partition ORDER BY part;',
      shown: ` part | airports | flights
------+----------+---------
    0 |       53 |    5079
    1 |       54 |    5264
    2 |       65 |    6184
    3 |       48 |    3473
(4 rows)`,
    },
    {
      about: 'Topic delays_rolling, written by CREATE SINK: read it like any other topic',
      text: `CREATE SOURCE IF NOT EXISTS sent_delays (window_end TIMESTAMP, flights BIGINT, avg_delay NUMERIC, late_flights BIGINT)
WITH (${topic('delays_rolling', brokers)})
FORMAT PLAIN ENCODE JSON;`,
      shown: null,
    },
    {
      about: 'Exactly once: a record for each row of the view, none missing and none double',
      text: `SELECT (SELECT count(*) FROM delays_rolling) AS view_rows, count(*) AS records, count(DISTINCT window_end) AS windows
FROM sent_delays;`,
      shown: ` view_rows | records | windows
-----------+---------+---------
       359 |     359 |     359
(1 row)`,
    },
  ];
}
