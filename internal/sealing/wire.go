package sealing

import (
	"context"
	"errors"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflowservice/v1"
	temporalclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"
)

// Connect has a connection seal every payload that leaves and open every one that comes, memos, heartbeats and
// descriptions of schedules among them, but for search attributes, by which Temporal finds runs. What cannot be opened
// comes as it is, so that a list of runs does not fail for one of them; reading it says why.
func (k *Keys) Connect(options *temporalclient.Options) error {
	options.DataConverter = k.Converter()
	options.FailureConverter = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: options.DataConverter, EncodeCommonAttributes: k.Sealer() != "",
	})
	if k.Sealer() == "" {
		return nil
	}
	payloads, err := proxy.NewPayloadVisitorInterceptor(proxy.PayloadVisitorInterceptorOptions{
		Outbound: &proxy.VisitPayloadsOptions{SkipSearchAttributes: true, Visitor: func(_ *proxy.VisitPayloadsContext, p []*common.Payload) ([]*common.Payload, error) {
			return k.Encode(p)
		}},
		Inbound: &proxy.VisitPayloadsOptions{SkipSearchAttributes: true, Visitor: func(_ *proxy.VisitPayloadsContext, p []*common.Payload) ([]*common.Payload, error) {
			return k.openable(p), nil
		}},
	})
	if err != nil {
		return err
	}
	options.ConnectionOptions.DialOptions = append(options.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(describeFailures, payloads))
	return nil
}

// openable opens what it can.
func (k *Keys) openable(payloads []*common.Payload) []*common.Payload {
	out := make([]*common.Payload, len(payloads))
	for i, payload := range payloads {
		out[i] = payload
		if opened, err := k.Open(payload); err == nil {
			out[i] = opened
		}
	}
	return out
}

// describeFailures reads the messages of failures in descriptions, which the SDK hands on as they come. It leaves all
// others alone: workflows send the failures of their steps on, and those must be sealed then.
func describeFailures(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if err := invoke(ctx, method, request, reply, conn, options...); err != nil {
		return err
	}
	description, ok := reply.(*workflowservice.DescribeWorkflowExecutionResponse)
	if !ok {
		return nil
	}
	return proxy.VisitFailures(ctx, description, proxy.VisitFailuresOptions{Visitor: func(_ *proxy.VisitFailuresContext, f *failure.Failure) error {
		converter.DecodeCommonFailureAttributes(converter.GetDefaultDataConverter(), f)
		return nil
	}})
}

// Converter reads what the connection could open, and says of the rest why it could not.
func (k *Keys) Converter() converter.DataConverter {
	return &reader{DataConverter: converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), k)}
}

// reader makes of a missing key a matter of the worker rather than of the run: an error would end the run, or be taken
// for the failure of a step; a panic holds its task until a worker comes that has the key.
type reader struct {
	converter.DataConverter
	patient bool // inside a workflow
}

// WithWorkflowContext implements converter.ContextAware.
func (r *reader) WithWorkflowContext(converter.WorkflowContext) converter.DataConverter {
	return &reader{DataConverter: r.DataConverter, patient: true}
}

// WithContext implements converter.ContextAware.
func (r *reader) WithContext(context.Context) converter.DataConverter { return r }

// FromPayload implements converter.DataConverter.
func (r *reader) FromPayload(payload *common.Payload, into any) error {
	return r.hold(r.DataConverter.FromPayload(payload, into))
}

// FromPayloads implements converter.DataConverter.
func (r *reader) FromPayloads(payloads *common.Payloads, into ...any) error {
	return r.hold(r.DataConverter.FromPayloads(payloads, into...))
}

func (r *reader) hold(err error) error {
	var missing *MissingKeyError
	if r.patient && errors.As(err, &missing) {
		panic(missing)
	}
	return err
}
