/** The Nexmark queries in our dialect (design/nexmark.md): planner tests and the benchmark use the same texts. */

export const NEXMARK_SCHEMA = `
CREATE SOURCE person (id BIGINT, name TEXT, email_address TEXT, credit_card TEXT, city TEXT, state TEXT,
  date_time TIMESTAMP, extra TEXT, WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
  WITH (connector = 'nexmark', nexmark.table.type = 'person');
CREATE SOURCE auction (id BIGINT, item_name TEXT, description TEXT, initial_bid BIGINT, reserve BIGINT,
  date_time TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT, extra TEXT,
  WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
  WITH (connector = 'nexmark', nexmark.table.type = 'auction');
CREATE SOURCE bid (auction BIGINT, bidder BIGINT, price BIGINT, channel TEXT, url TEXT, date_time TIMESTAMP,
  extra TEXT, WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
  WITH (connector = 'nexmark', nexmark.table.type = 'bid');
CREATE TABLE side_input (key BIGINT PRIMARY KEY, value TEXT);
`;

const BANDS = `
  count(*) AS total_bids,
  count(*) FILTER (WHERE price < 10000) AS rank1_bids,
  count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
  count(*) FILTER (WHERE price >= 1000000) AS rank3_bids`;

const DISTINCT_BANDS = `
  count(DISTINCT bidder) AS total_bidders,
  count(DISTINCT bidder) FILTER (WHERE price < 10000) AS rank1_bidders,
  count(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bidders,
  count(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS rank3_bidders,
  count(DISTINCT auction) AS total_auctions,
  count(DISTINCT auction) FILTER (WHERE price < 10000) AS rank1_auctions,
  count(DISTINCT auction) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_auctions,
  count(DISTINCT auction) FILTER (WHERE price >= 1000000) AS rank3_auctions`;

export const NEXMARK_QUERIES = {
  q0: 'SELECT auction, bidder, price, date_time, extra FROM bid',
  q1: 'SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid',
  q2: 'SELECT auction, price FROM bid WHERE auction % 123 = 0',
  q3: `SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id
    WHERE a.category = 10 AND (p.state = 'OR' OR p.state = 'ID' OR p.state = 'CA')`,
  q4: `SELECT q.category, avg(q.final) AS average FROM (
      SELECT max(b.price) AS final, a.category FROM auction a, bid b
      WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
      GROUP BY a.id, a.category) q
    GROUP BY q.category`,
  q5: `WITH counts AS (
      SELECT auction, count(*) AS num, window_start, window_end
      FROM HOP(bid, date_time, INTERVAL '2 seconds', INTERVAL '10 seconds')
      GROUP BY auction, window_start, window_end)
    SELECT c.auction, c.num, c.window_start, c.window_end FROM counts c JOIN (
      SELECT max(num) AS maxn, window_start, window_end FROM counts GROUP BY window_start, window_end) m
    ON c.window_start = m.window_start AND c.window_end = m.window_end AND c.num >= m.maxn`,
  q6: `SELECT seller, avg(final) AS average FROM (
      SELECT seller, final, row_number() OVER (PARTITION BY seller ORDER BY date_time DESC) AS nth FROM (
        SELECT a.seller, b.price AS final, b.date_time,
          row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time) AS rank
        FROM auction a JOIN bid b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires) w
      WHERE rank <= 1) l
    WHERE nth <= 10 GROUP BY seller`,
  q7: `SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
    FROM TUMBLE(bid, date_time, INTERVAL '10 seconds') b JOIN (
      SELECT max(price) AS maxprice, window_start, window_end
      FROM TUMBLE(bid, date_time, INTERVAL '10 seconds') GROUP BY window_start, window_end) m
    ON b.window_end = m.window_end AND b.price = m.maxprice`,
  q8: `SELECT p.id, p.name, p.window_start FROM (
      SELECT id, name, window_start, window_end
      FROM TUMBLE(person, date_time, INTERVAL '10 seconds') GROUP BY id, name, window_start, window_end) p
    JOIN (
      SELECT seller, window_start, window_end
      FROM TUMBLE(auction, date_time, INTERVAL '10 seconds') GROUP BY seller, window_start, window_end) a
    ON p.id = a.seller AND p.window_start = a.window_start AND p.window_end = a.window_end`,
  q9: `SELECT id, item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra,
      auction, bidder, price, bid_date_time, bid_extra FROM (
      SELECT a.*, b.auction, b.bidder, b.price, b.date_time AS bid_date_time, b.extra AS bid_extra,
        row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time) AS rank
      FROM auction a JOIN bid b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires) w
    WHERE rank <= 1`,
  q10: `SELECT auction, bidder, price, date_time, extra, to_char(date_time, 'YYYY-MM-DD') AS day,
      to_char(date_time, 'HH24:MI') AS minute FROM bid`,
  q11: `SELECT bidder, count(*) AS bid_count, window_start, window_end
    FROM SESSION(bid PARTITION BY bidder, date_time, INTERVAL '10 seconds')
    GROUP BY bidder, window_start, window_end`,
  q12: `SELECT bidder, count(*) AS bid_count, window_start, window_end
    FROM TUMBLE((SELECT bidder, proctime() AS p_time FROM bid), p_time, INTERVAL '10 seconds')
    GROUP BY bidder, window_start, window_end`,
  q13: `SELECT b.auction, b.bidder, b.price, b.date_time, s.value
    FROM bid b JOIN side_input s ON b.auction % 10000 = s.key`,
  q14: `SELECT auction, bidder, 0.908 * price AS price,
      CASE WHEN extract(hour FROM date_time) BETWEEN 8 AND 18 THEN 'dayTime'
        WHEN extract(hour FROM date_time) <= 6 OR extract(hour FROM date_time) >= 20 THEN 'nightTime'
        ELSE 'otherTime' END AS bid_time_type,
      date_time, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts
    FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000`,
  q15: `SELECT to_char(date_time, 'YYYY-MM-DD') AS day, ${BANDS}, ${DISTINCT_BANDS}
    FROM bid GROUP BY to_char(date_time, 'YYYY-MM-DD')`,
  q16: `SELECT channel, to_char(date_time, 'YYYY-MM-DD') AS day,
      max(to_char(date_time, 'HH24:MI')) AS minute, ${BANDS}, ${DISTINCT_BANDS}
    FROM bid GROUP BY channel, to_char(date_time, 'YYYY-MM-DD')`,
  q17: `SELECT auction, to_char(date_time, 'YYYY-MM-DD') AS day, ${BANDS},
      min(price) AS min_price, max(price) AS max_price, avg(price) AS avg_price, sum(price) AS sum_price
    FROM bid GROUP BY auction, to_char(date_time, 'YYYY-MM-DD')`,
  q18: `SELECT auction, bidder, price, channel, url, date_time, extra FROM (
      SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC) AS rank_number
      FROM bid) b
    WHERE rank_number <= 1`,
  q19: `SELECT * FROM (
      SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rank_number FROM bid) b
    WHERE rank_number <= 10`,
  q20: `SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.date_time AS bid_date_time, b.extra AS bid_extra,
      a.item_name, a.description, a.initial_bid, a.reserve, a.date_time AS auction_date_time, a.expires,
      a.seller, a.category, a.extra AS auction_extra
    FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10`,
  q21: `SELECT auction, bidder, price, channel,
      CASE WHEN lower(channel) = 'apple' THEN '0' WHEN lower(channel) = 'google' THEN '1'
        WHEN lower(channel) = 'facebook' THEN '2' WHEN lower(channel) = 'baidu' THEN '3'
        ELSE substring(url FROM '(?:&|^)channel_id=([^&]*)') END AS channel_id
    FROM bid
    WHERE substring(url FROM '(?:&|^)channel_id=([^&]*)') IS NOT NULL
      OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')`,
  q22: `SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1,
      split_part(url, '/', 5) AS dir2, split_part(url, '/', 6) AS dir3 FROM bid`,
} as const;
