// Package store keeps nouns in etcd: one transaction for everything that an operation changes, an ordered
// stream of everything that was committed, and secrets that are never on disk in the clear.
//
// By default etcd runs inside the process as one member, with no listener at all: nobody but this process
// can talk to it. What Commit has acknowledged has been fsynced to etcd's write-ahead log and survives the
// loss of power.
//
// Keys in etcd:
//
//	trellis/schema            version of the layout and id of the sealing key
//	trellis/n/KIND/KEY        a noun, as JSON
//	trellis/c/NAME            a claim: the holder of a unique name
//	trellis/m/SET/MEMBER      a mark: that MEMBER refers to SET
//	trellis/t/SCOPE/TOKEN     a client token, under a lease of a day
//	trellis/x/KIND/TERM//KEY  that a noun is found by TERM
package store
