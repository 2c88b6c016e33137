// Package estate keeps what stands in Trellis, or in AWS, as files: it reads documents of nouns, one for each thing,
// under AWS's member names; compares them with the present state; and carries out the difference. It calls the public
// API like any other client, by a function that it is handed, so the same readers read a real AWS account.
//
// A kind (kind.go; a file for each service) says what a document may say and by which operations it is read, made, changed
// and deleted; where those are as most services have them, plain.go makes it of their names, and tags.go gives it tags. Parse
// (parse.go) turns files into wanted things and names everything that is wrong with them at once; Wanted.local (local.go) adds
// what they take from the machine; Reader.read (read.go) turns answers into present things; Plan (plan.go) is their difference,
// in which references are names; Plan.Apply (apply.go) carries it out, each thing after those that it names; Export (export.go)
// writes present things as documents.
package estate
