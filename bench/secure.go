package main

import (
	"context"
	"fmt"
	"time"
)

// measureHandshakes is the rows l: a connection with TLS 1.3 for each request, with a whole handshake or a resumed one.
func measureHandshakes(resume bool) func(context.Context, *bench, *contestant) (metrics, error) {
	return func(ctx context.Context, b *bench, c *contestant) (m metrics, err error) {
		err = b.visit(ctx, c, shape{clients: secured}, func(v *visit) error {
			if _, _, err := v.handshakes(ctx, resume, warm); err != nil {
				return err
			}
			r, u, err := v.handshakes(ctx, resume, b.length)
			if err != nil {
				return err
			}
			m = metrics{"cps": r.requests / r.seconds, "busy": u.proxy.Seconds() / r.seconds, "foreign": u.foreign}
			m.costs(v, u, r.requests)
			return nil
		})
		return m, err
	}
}

// handshakes opens one connection after the other, 32 at a time.
func (v *visit) handshakes(ctx context.Context, resume bool, length time.Duration) (loadResult, usage, error) {
	const conns = 32
	var said struct{ Answered, Resumed, Seconds float64 }
	u, err := v.own(ctx, &said, "secure", "-path", rulePath, "-name", serviceHost, "-connections", fmt.Sprint(conns), "-time", length.String(), fmt.Sprintf("-resume=%t", resume))
	if wanted := said.Answered - conns; err == nil && (resume && said.Resumed < wanted || !resume && said.Resumed > 0) {
		err = fmt.Errorf("of %.0f connections, %.0f resumed a session", said.Answered, said.Resumed)
	}
	return loadResult{requests: said.Answered, seconds: said.Seconds}, u, err
}

// measureBytes is the rows n and o: bytes that the proxy has no key of, from the target to clients that throw them away.
func measureBytes(how speech) func(context.Context, *bench, *contestant) (metrics, error) {
	drain := func(ctx context.Context, v *visit, length time.Duration) (bytes, seconds float64, u usage, err error) {
		var said struct{ Bytes, Seconds float64 }
		u, err = v.own(ctx, &said, "drain", "-name", passedName, "-connections", "8", "-time", length.String())
		if err == nil && said.Bytes == 0 {
			err = fmt.Errorf("nothing came in %.1f s", said.Seconds)
		}
		return said.Bytes, said.Seconds, u, err
	}
	return func(ctx context.Context, b *bench, c *contestant) (m metrics, err error) {
		err = b.visit(ctx, c, shape{clients: how}, func(v *visit) error {
			if _, _, _, err := drain(ctx, v, warm); err != nil {
				return err
			}
			bytes, seconds, u, err := drain(ctx, v, b.length)
			if err != nil {
				return err
			}
			gb := bytes / 1e9
			m = metrics{"gbps": gb / seconds, "all_s_gb": (u.proxy + u.target + u.load).Seconds() / gb, "foreign": u.foreign}
			if len(v.ps) > 0 {
				m["cpu_s_gb"] = u.proxy.Seconds() / gb
			}
			return nil
		})
		return m, err
	}
}
