package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tidwall/gjson"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/span"
)

// Request asks for a worker.
type Request struct {
	// Purpose and Task are required. The name of a task is unique within its
	// purpose.
	Purpose, Task string
	// ISP and Region are wanted of the worker; "" asks for none.
	ISP, Region string
	// Preference is what else is wanted: anything that becomes JSON. A member of
	// an object that is probably misspelled ("lables") is refused; other members
	// that Muster does not know ask for nothing. It is such as
	// a map with the members video, algorithm and labels, or a
	// json.RawMessage. ISP and Region above are added to it, and need it to
	// be an object or nil.
	Preference any
	// Reserve is how long the worker is held until it picks the task up, to a
	// millisecond. 0 means the manager's default.
	Reserve time.Duration
}

// beside asks for the number of the placement, and for why there is no worker.
// Why a worker was chosen is left out: it costs the manager more than the rest
// of the answer, and Why asks for it. OWT's own manager does not know it.
var beside any = json.RawMessage(`{"placement":true,"explain":"refusal"}`)

// Schedule asks for a worker for a task. A task that is placed already gets
// the worker that it has, and a reservation at least as long as before. Where
// there is no worker for it the error is a *NoWorkerError.
func (c *Client) Schedule(ctx context.Context, r Request) (placed muster.Placement, err error) {
	preference, err := c.preference(r)
	if err != nil {
		return muster.Placement{}, err
	}
	if span.In(ctx) {
		var end func(error)
		ctx, end = span.Begin(ctx, span.Client, "schedule", span.Purpose, r.Purpose, span.Task, r.Task)
		defer func() { span.Set(ctx, span.Worker, placed.Worker); end(err) }()
	}
	args := []any{r.Purpose, r.Task, preference, r.Reserve.Milliseconds(), beside}
	if c.opts.PlainOWT {
		args = args[:4]
	}
	raw, err := c.persist(ctx, "schedule", args)
	placed = muster.Placement{Purpose: r.Purpose, Task: r.Task}
	if err == nil {
		err = readPlaced(raw, &placed)
	}
	if err != nil {
		return muster.Placement{}, fmt.Errorf("client: schedule: %w", noWorker(err, r.Purpose))
	}
	return placed, nil
}

// readPlaced reads the answer to schedule. It is the answer of every placement,
// of which package encoding/json would cost more than the call itself.
func readPlaced(raw json.RawMessage, p *muster.Placement) error {
	answer := gjson.ParseBytes(raw)
	if !answer.IsObject() {
		return fmt.Errorf("the answer must be an object with the member id, and is %.80s", raw)
	}
	answer.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "id":
			p.Worker = value.Str
		case "info":
			p.Info = raw[value.Index : value.Index+len(value.Raw)]
		case "placement": // none of OWT's
			p.Number = value.Uint()
		}
		return true
	})
	return nil
}

// preference checks the request, and returns what goes out.
func (c *Client) preference(r Request) (json.RawMessage, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if r.Preference == nil {
		return place(r.ISP, r.Region), nil
	}
	given, isRaw := r.Preference.(json.RawMessage)
	known := isRaw && r.ISP == "" && r.Region == ""
	if known {
		if raw, ok := c.checked.get(given); ok {
			return raw, nil
		}
	}
	raw, err := r.preference()
	if err == nil && known {
		c.checked.put(given, raw)
	}
	return raw, err
}

// check returns what is wrong with the request beside its preference.
func (r *Request) check() error {
	switch {
	case r.Purpose == "":
		return errors.New("client: Request.Purpose must be set")
	case r.Task == "":
		return errors.New("client: Request.Task must be set")
	case muster.CheckName(r.Purpose, muster.MaxName) != nil:
		return fmt.Errorf("client: Request.Purpose %w", muster.CheckName(r.Purpose, muster.MaxName))
	case muster.CheckName(r.Task, muster.MaxTask) != nil:
		return fmt.Errorf("client: Request.Task %w", muster.CheckName(r.Task, muster.MaxTask))
	case r.Reserve < 0:
		return fmt.Errorf("client: Request.Reserve must not be negative, but is %v", r.Reserve)
	}
	return nil
}

// preference returns what goes out of a preference that is right.
func (r *Request) preference() (json.RawMessage, error) {
	raw, err := json.Marshal(r.Preference)
	if err != nil {
		return nil, fmt.Errorf("client: Request.Preference cannot be written as JSON: %w", err)
	}
	if err := checkMembers(raw); err != nil {
		return nil, err
	}
	if r.ISP == "" && r.Region == "" {
		return raw, nil
	}
	return r.placed(raw)
}

// place is the preference that asks for a place alone, written by hand since most
// requests ask for no more.
func place(isp, region string) json.RawMessage {
	if isp == "" && region == "" {
		return json.RawMessage("null")
	}
	raw := []byte{'{'}
	if isp != "" {
		raw = gjson.AppendJSONString(append(raw, `"isp":`...), isp)
	}
	if isp != "" && region != "" {
		raw = append(raw, ',')
	}
	if region != "" {
		raw = gjson.AppendJSONString(append(raw, `"region":`...), region)
	}
	return append(raw, '}')
}

// placed adds the place to a preference.
func (r *Request) placed(raw json.RawMessage) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("client: Request.Preference must be an object where ISP or Region is set, not %s", raw)
	}
	if members == nil {
		members = map[string]json.RawMessage{}
	}
	for name, value := range map[string]string{"isp": r.ISP, "region": r.Region} {
		if value != "" {
			members[name], _ = json.Marshal(value) // a string can be written
		}
	}
	return json.Marshal(members)
}
