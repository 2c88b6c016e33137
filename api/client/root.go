package client

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxRoot is how many bytes of a certificate are read.
const maxRoot = 64 << 10

// Root asks for the certificate of the installation's authority, in PEM. It needs no credentials.
func (c *Client) Root(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint.JoinPath("/ca.pem").String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the authority's certificate: %w", err)
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for the authority's certificate: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxRoot))
	if err != nil {
		return nil, fmt.Errorf("ask for the authority's certificate: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask for the authority's certificate: the API answered %s", res.Status)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return nil, errors.New("ask for the authority's certificate: the answer is no certificate")
	}
	return text, nil
}
