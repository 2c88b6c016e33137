//go:build thorough

package terraform

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// boto3 is a process that calls by boto3.
type boto3 struct {
	mu  sync.Mutex // of one call at a time
	in  io.Writer
	out *bufio.Reader
}

// of is a Client with one account's credentials.
func (b *boto3) of(account string) Client {
	return func(_ context.Context, service, operation string, in map[string]any) (Answer, error) {
		return b.call(account, service, operation, in)
	}
}

// call calls an operation.
func (b *boto3) call(account, service, operation string, in map[string]any) (Answer, error) {
	line, err := json.Marshal(map[string]any{"account": account, "service": service, "operation": operation, "input": in})
	if err != nil {
		return Answer{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := fmt.Fprintf(b.in, "%s\n", line); err != nil {
		return Answer{}, err
	}
	line, err = b.out.ReadBytes('\n')
	if err != nil {
		return Answer{}, fmt.Errorf("boto3 ended: %w", err)
	}
	var answer struct {
		Output        map[string]any
		Code, Message string
		Status        int
		Error         string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return Answer{}, err
	}
	switch {
	case answer.Error != "":
		return Answer{}, errors.New(answer.Error)
	case answer.Code != "":
		return Answer{}, &Refusal{Code: answer.Code, Message: answer.Message, Status: answer.Status}
	}
	return Answer{answer.Output, answer.Status}, nil
}
