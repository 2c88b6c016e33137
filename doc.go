// Package trellis holds the nouns: the things that users of Trellis name, create and delete, as plain values.
//
// It imports the standard library only, and every other package imports it. A noun knows its own identity
// (Kind, Key, ARN) and what makes it valid by itself; what it means beside other nouns is the business of
// package controlplane. Field names follow AWS's API where AWS has a name for the thing.
//
// The JSON form of a noun is the form in which package store keeps it.
package trellis
