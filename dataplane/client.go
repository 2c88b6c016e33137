package dataplane

// client is who asks: a connection of HTTP/1.1, or a stream of one of HTTP/2. By its methods an exchange hears the rest
// of the request and answers; everything else about a request is the same for both.
type client interface {
	// bodyDone tells that the request has no body, or that it has been read.
	bodyDone() bool
	// first returns what has come of the request's body, as it goes to a target of HTTP/1.1. It does not wait.
	first() ([]byte, error)
	// upload sends the rest of the request's body to a target, on a fiber of its own.
	upload(t receiver) uploadResult
	// hold reads the whole body of the request, and returns the hexadecimal SHA-256 of its content.
	hold() (hash string, denied *denial)
	// stopUpload ends the waits of an upload with an error, until it is called with nil.
	stopUpload(err error)

	// contentOnly tells that bodies are to be passed on without what frames them in HTTP/1.1.
	contentOnly() bool
	// interim passes a 1xx answer of the target on.
	interim() error
	// head sends the head of the target's answer, and the first piece of its body. whole tells that this is all of it.
	head(piece []byte, whole bool) error
	// data sends a further piece of the body.
	data(piece []byte, whole bool) error
	// switched passes on that the target has switched to WebSocket. It returns what is carried on, and what of it has been
	// read already.
	switched() (s side, first []byte, err error)
	// own sends an answer of our own, which may be what ends the connection.
	own(status int, body string)
	// abort ends an answer that can't be completed, so that it does not look like one that ended.
	abort()

	// gone tells that nobody waits for the answer any more.
	gone() bool
}
