// Package routing makes an immutable Table of the nouns at one revision: VPC → service network → service →
// listener → rule. The data plane and DNS answer every question of a request from one Table, without locks and
// without allocating; a change of the nouns makes a new Table that is swapped in whole.
//
// Only what carries traffic is in a Table: associations and services in status ACTIVE, UPDATE_IN_PROGRESS or
// UPDATE_FAILED (the last valid state goes on). A policy that does not compile
// stands in the Table as a Layer that denies.
//
// TCP resources and VPC endpoints stand in it as their nouns, by address and by name (resource.go, endpoint.go, names.go):
// a connection to one of them asks once.
package routing
