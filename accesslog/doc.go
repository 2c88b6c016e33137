// Package accesslog makes the access log: one JSON object for each request, or connection to a TCP resource, delivered to the destinations that
// the service's and the service network's access log subscriptions name.
//
// Emit is called on the request path. It writes the object into a buffer and returns: it never waits for a
// destination, and when a destination is slower than the traffic it is rows that are lost, counted, not
// requests. (VPC Lattice user guide, monitoring-access-logs.)
package accesslog
