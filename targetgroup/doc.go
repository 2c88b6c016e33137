// Package targetgroup keeps target groups alive: who is a member, who is healthy, whose turn it is, and the
// connections that wait for the next request.
//
// A Manager is told the nouns (Apply) and makes a Group of each target group, which the data plane looks up by
// id without a lock. What a Group says is fixed; what a Target does (its health, its pooled connections) goes
// on across every Apply, because a Target is found again by its key and address.
//
// Health checks begin when a listener or rule of an active service names the group, and stop when none does.
// Every connection, a health check's too, goes to an address inside the target group's VPC or not at all.
package targetgroup
