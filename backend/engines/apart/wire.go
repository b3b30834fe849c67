package apart

import "github.com/convilyn/convilyn-temporal/backend/engines"

// order is a line to a child: one conversion.
type order struct {
	Engine       string
	Source       string
	Target       string
	InputPath    string
	OutDir       string
	Stem         string
	ImageQuality int               `json:",omitempty"`
	Preset       string            `json:",omitempty"`
	Pages        engines.PageRange `json:",omitempty"`
	Helped       bool              `json:",omitempty"`
}

func orderOf(engine string, in engines.Request) order {
	return order{
		Engine: engine, Source: in.Source, Target: in.Target, InputPath: in.InputPath, OutDir: in.OutDir, Stem: in.Stem,
		ImageQuality: in.ImageQuality, Preset: in.Preset, Pages: in.Pages, Helped: in.Helped,
	}
}

func (o order) request(progress func(int, string)) engines.Request {
	return engines.Request{
		Source: o.Source, Target: o.Target, InputPath: o.InputPath, OutDir: o.OutDir, Stem: o.Stem,
		ImageQuality: o.ImageQuality, Preset: o.Preset, Pages: o.Pages, Helped: o.Helped, Progress: progress,
	}
}

// reply is a line from a child: progress, or the end, which has one of the other fields.
type reply struct {
	Percent int             `json:",omitempty"`
	Message string          `json:",omitempty"`
	Result  *engines.Result `json:",omitempty"`
	Refusal *engines.Error  `json:",omitempty"` // what the user can act on
	Fault   string          `json:",omitempty"` // anything else, for the log
}

func (r reply) last() bool { return r.Result != nil || r.Refusal != nil || r.Fault != "" }
