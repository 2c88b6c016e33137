package client

import "crypto/rand"

// Check tells whether an input has the members and types that AWS's model of an operation has. It calls nothing.
func (c *Client) Check(service, operation string, input map[string]any) error {
	codec, err := c.codec(service)
	if err != nil {
		return err
	}
	op, ok := codec.Model.Operation(operation)
	if !ok {
		return nil // what no model has is the server's to refuse
	}
	_, err = codec.InputOf(op, input, rand.Text)
	return err
}
