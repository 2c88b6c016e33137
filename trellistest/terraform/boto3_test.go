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

// boto3 is a process that calls by boto3, many at once.
type boto3 struct {
	mu      sync.Mutex
	in      io.Writer
	last    int                        // number of the last call
	waiting map[int]chan<- boto3Answer // by number
	ended   error                      // why no more answers come
}

// boto3Answer is a line of boto3_calls.py.
type boto3Answer struct {
	Number        int
	Output        map[string]any
	Code, Message string
	Status        int
	Error         string
}

// newBoto3 hands out answers until there are no more.
func newBoto3(in io.Writer, out io.Reader) *boto3 {
	b := &boto3{in: in, waiting: map[int]chan<- boto3Answer{}}
	go func() {
		lines := bufio.NewReader(out)
		for {
			var a boto3Answer
			line, err := lines.ReadBytes('\n')
			if err == nil {
				err = json.Unmarshal(line, &a)
			}
			b.mu.Lock()
			if err != nil {
				b.ended = fmt.Errorf("boto3 ended: %w", err)
				for _, c := range b.waiting {
					close(c)
				}
				b.mu.Unlock()
				return
			}
			b.waiting[a.Number] <- a
			delete(b.waiting, a.Number)
			b.mu.Unlock()
		}
	}()
	return b
}

// of is a Client with one account's credentials.
func (b *boto3) of(account string) Client {
	return func(_ context.Context, service, operation string, in map[string]any) (Answer, error) {
		answer, err := b.call(account, service, operation, in)
		switch {
		case err != nil:
			return Answer{}, err
		case answer.Error != "":
			return Answer{}, errors.New(answer.Error)
		case answer.Code != "":
			return Answer{}, &Refusal{Code: answer.Code, Message: answer.Message, Status: answer.Status}
		}
		return Answer{answer.Output, answer.Status}, nil
	}
}

// call calls an operation.
func (b *boto3) call(account, service, operation string, in map[string]any) (boto3Answer, error) {
	came := make(chan boto3Answer, 1)
	b.mu.Lock()
	b.last++
	line, err := json.Marshal(map[string]any{"number": b.last, "account": account, "service": service, "operation": operation, "input": in})
	if err == nil {
		err = b.ended
	}
	if err == nil {
		b.waiting[b.last] = came
		_, err = fmt.Fprintf(b.in, "%s\n", line)
	}
	b.mu.Unlock()
	if err != nil {
		return boto3Answer{}, err
	}
	answer, ok := <-came
	if !ok {
		return answer, errors.New("boto3 ended")
	}
	return answer, nil
}
