// Package identity says who calls: accounts and their organization, users, roles, access keys, managed
// policies and the sessions of roles. It is what AWS's services IAM, STS and Organizations mean.
//
// Identity changes nouns in the store, on behalf of a caller whose own policies it asks first. Directory is
// the other side: an immutable snapshot that tells whose signature a request bears, without the store.
//
// Sessions are kept nowhere. A session token is a sealed envelope that holds the account, the role, the
// session's name, tags, policies and secret, and when it ends; every node that has the key can open it.
package identity
