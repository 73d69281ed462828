// Package kubernetes_test builds the manifests as kubectl does, and holds them to the API's types and to what the
// server promises. It is a module of its own, so that nothing of Kubernetes is needed to build the server.
package kubernetes_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const (
	app = "semantic-caching-api"
	// lagSeconds and flushSeconds are the server's: how long it accepts after SIGTERM, and may take to store the rest.
	lagSeconds, flushSeconds = 5, 25
)

// cluster is what one folder defines, by its kind.
type cluster struct {
	settings   *core.ConfigMap
	deployment *apps.Deployment
	service    *core.Service
	scaler     *autoscaling.HorizontalPodAutoscaler
	disruption *policy.PodDisruptionBudget
	network    *networking.NetworkPolicy
}

// build builds a folder and decodes what comes of it; a field that its type has not is an error.
func build(t *testing.T, folder string) (objects []runtime.Object) {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../"+folder)
	if err != nil {
		t.Fatal(err)
	}
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{core.AddToScheme, apps.AddToScheme, autoscaling.AddToScheme, networking.AddToScheme, policy.AddToScheme} {
		if err := add(types); err != nil {
			t.Fatal(err)
		}
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, types, types, json.SerializerOptions{Yaml: true, Strict: true})
	for _, resource := range built.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := strict.Decode(text, nil, nil)
		if err != nil {
			t.Fatalf("%s: %s: %v", folder, resource.CurId(), err)
		}
		objects = append(objects, object)
	}
	return objects
}

// overlay is an overlay's cluster, which has one of each kind under the contract's name.
func overlay(t *testing.T, name string) (c cluster) {
	t.Helper()
	objects := build(t, "overlays/"+name)
	for _, object := range objects {
		switch o := object.(type) {
		case *core.ConfigMap:
			c.settings = o
		case *apps.Deployment:
			c.deployment = o
		case *core.Service:
			c.service = o
		case *autoscaling.HorizontalPodAutoscaler:
			c.scaler = o
		case *policy.PodDisruptionBudget:
			c.disruption = o
		case *networking.NetworkPolicy:
			c.network = o
		default:
			t.Errorf("%s has a %T", name, object)
		}
	}
	if len(objects) != 6 || c.settings == nil || c.deployment == nil || c.service == nil || c.scaler == nil || c.disruption == nil || c.network == nil {
		t.Fatalf("%s has %d objects: %+v", name, len(objects), c)
	}
	return c
}

// each runs a test on each overlay.
func each(t *testing.T, test func(t *testing.T, c cluster)) {
	for _, name := range []string{"cpu", "gpu"} {
		t.Run(name, func(t *testing.T) { test(t, overlay(t, name)) })
	}
}

func (c cluster) container() core.Container { return c.deployment.Spec.Template.Spec.Containers[0] }

func TestAllPartsMeanTheSamePods(t *testing.T) {
	each(t, func(t *testing.T, c cluster) {
		for what, labels := range map[string]map[string]string{
			"the deployment's selector": c.deployment.Spec.Selector.MatchLabels, "its template": c.deployment.Spec.Template.Labels,
			"the service": c.service.Spec.Selector, "the budget": c.disruption.Spec.Selector.MatchLabels, "the network": c.network.Spec.PodSelector.MatchLabels,
		} {
			if labels["app"] != app {
				t.Errorf("%s has the labels %v", what, labels)
			}
		}
		for _, name := range []string{c.deployment.Name, c.service.Name, c.scaler.Name, c.scaler.Spec.ScaleTargetRef.Name, c.container().Name} {
			if name != app {
				t.Errorf("something is named %s", name)
			}
		}
		if port := c.service.Spec.Ports[0]; port.TargetPort.StrVal != c.container().Ports[0].Name || c.container().Ports[0].ContainerPort != 8000 ||
			c.network.Spec.Ingress[0].Ports[0].Port.StrVal != c.container().Ports[0].Name {
			t.Errorf("%+v", port)
		}
	})
}

func TestProbesAskTheThreePaths(t *testing.T) {
	each(t, func(t *testing.T, c cluster) {
		for path, probe := range map[string]*core.Probe{
			"/health/startup": c.container().StartupProbe, "/health/live": c.container().LivenessProbe, "/health/ready": c.container().ReadinessProbe,
		} {
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != "http" {
				t.Errorf("%s: %+v", path, probe)
			}
		}
		if start := c.container().StartupProbe; start.PeriodSeconds*start.FailureThreshold < 300 {
			t.Errorf("a start may take %d s only", start.PeriodSeconds*start.FailureThreshold)
		}
	})
}

func TestAPodMayEndInPeace(t *testing.T) {
	each(t, func(t *testing.T, c cluster) {
		drain, err := strconv.ParseInt(c.settings.Data["SEMANTIC_SERVER_DRAIN_SECONDS"], 10, 64)
		if grace := *c.deployment.Spec.Template.Spec.TerminationGracePeriodSeconds; err != nil || grace <= lagSeconds+drain+flushSeconds {
			t.Errorf("it is killed after %d s, and may drain for %d, %v", grace, drain, err)
		}
	})
}

// The pod is as the strictest of Kubernetes's own profiles wants it, and writes to its volumes only.
func TestThePodHasNoRightsItDoesNotNeed(t *testing.T) {
	each(t, func(t *testing.T, c cluster) {
		pod, security := c.deployment.Spec.Template.Spec, c.container().SecurityContext
		if !*pod.SecurityContext.RunAsNonRoot || *pod.SecurityContext.RunAsUser == 0 || pod.SecurityContext.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%+v", pod.SecurityContext)
		}
		if !*security.ReadOnlyRootFilesystem || *security.AllowPrivilegeEscalation || len(security.Capabilities.Drop) != 1 || security.Capabilities.Drop[0] != "ALL" {
			t.Errorf("%+v", security)
		}
		if *pod.EnableServiceLinks {
			t.Error("it gets variables that look like settings")
		}
		if *pod.AutomountServiceAccountToken || len(c.network.Spec.PolicyTypes) != 2 {
			t.Error("it may talk to the API server, or to everybody")
		}
		for _, volume := range pod.Volumes {
			if volume.EmptyDir == nil || volume.EmptyDir.SizeLimit == nil {
				t.Errorf("%+v", volume)
			}
		}
	})
}

func TestNoSecretIsWrittenDown(t *testing.T) {
	each(t, func(t *testing.T, c cluster) {
		for name := range c.settings.Data {
			if regexp.MustCompile(`KEY|URL|PASSWORD`).MatchString(name) {
				t.Errorf("%s is in the config map", name)
			}
		}
		from := c.container().EnvFrom
		if len(from) != 2 || from[0].ConfigMapRef.Name != c.settings.Name || from[1].SecretRef.Name != app || len(c.container().Env) != 0 {
			t.Errorf("%+v", from)
		}
	})
}

// The server gives up its oldest blocks before the kubelet gives up the pod, and has the memory for its pool.
func TestBudgetsAreUnderTheLimits(t *testing.T) {
	each(t, func(t *testing.T, c cluster) {
		megabytes := func(name string) int64 {
			n, err := strconv.ParseInt(c.settings.Data[name], 10, 64)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return n << 20
		}
		limits := c.container().Resources.Limits
		cache := c.deployment.Spec.Template.Spec.Volumes[0].EmptyDir.SizeLimit.Value()
		if disk := megabytes("SEMANTIC_AGENT_DISK_BUDGET_MB"); disk+disk/10 > cache || cache > limits.StorageEphemeral().Value() {
			t.Errorf("the disk tier may have %d of %d bytes, and the pod %d", disk, cache, limits.StorageEphemeral().Value())
		}
		if pool := megabytes("SEMANTIC_MLX_CACHE_BUDGET_MB"); pool+1<<30 > limits.Memory().Value() {
			t.Errorf("the pool may have %d of %d bytes", pool, limits.Memory().Value())
		}
	})
}

func TestTheAutoscalerGoesByWhatTheAdapterGives(t *testing.T) {
	adapter := build(t, "custom-metrics")[0].(*core.ConfigMap).Data["config.yaml"]
	query := regexp.MustCompile(`__name__=~"semantic_\(([^)]*)\)"`).FindStringSubmatch(adapter)
	if query == nil {
		t.Fatal(adapter)
	}
	each(t, func(t *testing.T, c cluster) {
		targets := map[string]string{}
		for _, metric := range c.scaler.Spec.Metrics {
			targets[metric.Pods.Metric.Name] = metric.Pods.Target.AverageValue.String()
		}
		for name := range strings.SplitSeq(query[1], "|") {
			if targets["semantic_"+name] == "" {
				t.Errorf("nothing goes by semantic_%s: %v", name, targets)
			}
		}
		if len(targets) != 3 || targets["semantic_pool_utilization_ratio"] != "700m" || *c.scaler.Spec.MinReplicas != 2 || c.scaler.Spec.MaxReplicas != 10 {
			t.Errorf("%v, %+v", targets, c.scaler.Spec)
		}
		if c.deployment.Spec.Replicas != nil {
			t.Error("the deployment sets the replicas, too")
		}
	})
}

// What is set is something that the server knows: the runbook's reference has all settings.
func TestSettingsExist(t *testing.T) {
	runbook, err := os.ReadFile("../../../RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, c cluster) {
		for name := range c.settings.Data {
			if !strings.Contains(string(runbook), "\n| `"+name+"`") {
				t.Errorf("there is no setting %s", name)
			}
		}
	})
}

func TestOverlaysDifferInTheDevice(t *testing.T) {
	cpu, gpu := overlay(t, "cpu"), overlay(t, "gpu")
	if cpu.settings.Data["SEMANTIC_MLX_DEVICE"] != "cpu" || gpu.settings.Data["SEMANTIC_MLX_DEVICE"] != "gpu" {
		t.Error("the device is not set")
	}
	amount := func(c cluster) int64 {
		limit := c.container().Resources.Limits["nvidia.com/gpu"]
		return limit.Value()
	}
	if amount(cpu) != 0 || amount(gpu) != 1 || cpu.container().Image == gpu.container().Image {
		t.Errorf("%d and %d GPUs", amount(cpu), amount(gpu))
	}
}
