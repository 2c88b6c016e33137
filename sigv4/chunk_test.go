package sigv4

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

// TestChunks verifies the chunks of AWS's own example (S3 API reference, sigv4-streaming).
func TestChunks(t *testing.T) {
	key := NewKey("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	a := &Authorization{Date: "20130524", Region: "us-east-1", Service: "s3", Timestamp: "20130524T000000Z",
		Signature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"}
	chunks := []struct {
		size      int
		signature string
	}{
		{65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"},
		{1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"},
		{0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"},
	}
	c := key.Chunks(a)
	for i, chunk := range chunks {
		if !c.Next(sha256.Sum256(bytes.Repeat([]byte("a"), chunk.size)), chunk.signature) {
			t.Errorf("chunk %d has another signature", i)
		}
	}
	if key.Chunks(a).Next(sha256.Sum256([]byte("b")), chunks[0].signature) {
		t.Error("other bytes are taken")
	}
}
