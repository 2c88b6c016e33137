// Package telemetry keeps what is kept to be asked about: log groups, in the meaning of CloudWatch Logs,
// their query language, the audit trail of the API, and metrics.
//
// A log group is a folder of append-only segments. An event is written to its segment before Put returns, so it
// survives the end of the process however that comes; the disk is synchronized once a second, so the end of the
// machine may cost the last second. A record that was cut off by either is found by its checksum at the next
// start and removed. Events are read from the segments for each question: memory holds no events, only what
// segments and streams there are. What was put can be read at once.
//
// The audit trail lies in such segments, too, for each account apart: a record of a call that may have changed something
// is written before its answer leaves; records of other calls within a second, which the end of the process may cost. It
// is kept for 90 days, at most 256 MiB of an account.
//
// Metrics do, too: what a call puts is summed up to statistic sets of one minute, with sketches for percentiles that are at
// most 1 % beside the value, and written before it returns; questions sum up the sets. They are kept for 15 days, at most
// 256 MiB of an account. Log events count in the metrics that their group's metric filters say.
package telemetry
