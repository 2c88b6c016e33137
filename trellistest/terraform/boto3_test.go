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

// boto3Account calls with one account's credentials.
type boto3Account struct {
	*boto3
	account string
}

// Call implements Client.
func (b boto3Account) Call(_ context.Context, service, operation string, in map[string]any) (map[string]any, error) {
	line, err := json.Marshal(map[string]any{"account": b.account, "service": service, "operation": operation, "input": in})
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := fmt.Fprintf(b.in, "%s\n", line); err != nil {
		return nil, err
	}
	line, err = b.out.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("boto3 ended: %w", err)
	}
	var answer struct {
		Output        map[string]any
		Code, Message string
		Status        int
		Error         string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return nil, err
	}
	switch {
	case answer.Error != "":
		return nil, errors.New(answer.Error)
	case answer.Code != "":
		return nil, &Refusal{Code: answer.Code, Message: answer.Message, Status: answer.Status}
	}
	return answer.Output, nil
}
