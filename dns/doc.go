// Package dns is the resolver of each VPC: it answers the names of services from the routing Table and hands
// every other question on to the host's own servers.
//
// A service's generated name exists everywhere, as on AWS: where no association leads to it, it has an address
// that goes nowhere, so that a client times out instead of learning that the name is wrong. Answers change with
// the Table; there is nothing to reload. (VPC Lattice user guide, service-custom-domain-name.)
package dns
