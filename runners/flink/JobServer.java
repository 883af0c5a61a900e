import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.beam.model.jobmanagement.v1.JobApi.DescribePipelineOptionsRequest;
import org.apache.beam.model.jobmanagement.v1.JobApi.DescribePipelineOptionsResponse;
import org.apache.beam.model.jobmanagement.v1.JobApi.GetJobMetricsRequest;
import org.apache.beam.model.jobmanagement.v1.JobApi.GetJobMetricsResponse;
import org.apache.beam.model.jobmanagement.v1.JobApi.GetJobStateRequest;
import org.apache.beam.model.jobmanagement.v1.JobApi.JobMessage;
import org.apache.beam.model.jobmanagement.v1.JobApi.JobMessagesRequest;
import org.apache.beam.model.jobmanagement.v1.JobApi.JobMessagesResponse;
import org.apache.beam.model.jobmanagement.v1.JobApi.JobState;
import org.apache.beam.model.jobmanagement.v1.JobApi.JobStateEvent;
import org.apache.beam.model.jobmanagement.v1.JobApi.PrepareJobRequest;
import org.apache.beam.model.jobmanagement.v1.JobApi.PrepareJobResponse;
import org.apache.beam.model.jobmanagement.v1.JobApi.RunJobRequest;
import org.apache.beam.model.jobmanagement.v1.JobApi.RunJobResponse;
import org.apache.beam.model.jobmanagement.v1.JobServiceGrpc;
import org.apache.beam.model.pipeline.v1.RunnerApi.Pipeline;
import org.apache.beam.runners.flink.FlinkBatchPortablePipelineTranslator;
import org.apache.beam.runners.flink.FlinkPipelineOptions;
import org.apache.beam.runners.fnexecution.provisioning.JobInfo;
import org.apache.beam.sdk.io.FileSystems;
import org.apache.beam.sdk.util.construction.PTransformTranslation;
import org.apache.beam.sdk.util.construction.PipelineOptionsTranslation;
import org.apache.beam.sdk.util.construction.graph.GreedyPipelineFuser;
import org.apache.beam.sdk.util.construction.graph.ProtoOverrides;
import org.apache.beam.sdk.util.construction.graph.SplittableParDoExpander;
import org.apache.beam.sdk.util.construction.graph.TrivialNativeTransformExpander;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Server;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.netty.NettyServerBuilder;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.stub.StreamObserver;

/**
 * The least of Beam's Flink job server, for where the registry lacks the real one: one batch job at a time,
 * no artifacts (its SDK workers are this machine's own), no metrics. Translation and execution are Beam's
 * and Flink's.
 *
 * <p>java -jar JobServer.jar --flink-master [local] --job-port N (other arguments are taken and ignored)
 */
public final class JobServer extends JobServiceGrpc.JobServiceImplBase {
  private final Map<String, Job> jobs = new ConcurrentHashMap<>();
  private final String master;

  private JobServer(String master) {
    this.master = master;
  }

  public static void main(String[] arguments) throws Exception {
    String master = "[local]";
    int port = 0;
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      switch (arguments[i]) {
        case "--flink-master" -> master = arguments[i + 1];
        case "--job-port" -> port = Integer.parseInt(arguments[i + 1]);
        default -> { }
      }
    }
    Server server =
        NettyServerBuilder.forPort(port)
            .addService(new JobServer(master))
            .maxInboundMessageSize(Integer.MAX_VALUE)
            .build()
            .start();
    System.err.println("job server for Flink " + master + " on port " + server.getPort());
    server.awaitTermination();
  }

  private static final class Job {
    final Pipeline pipeline;
    final FlinkPipelineOptions options;
    final List<JobStateEvent> states = new ArrayList<>();
    String failure = "";

    Job(Pipeline pipeline, FlinkPipelineOptions options) {
      this.pipeline = pipeline;
      this.options = options;
      enter(JobState.Enum.STOPPED);
    }

    synchronized void enter(JobState.Enum state) {
      states.add(JobStateEvent.newBuilder().setState(state).build());
      notifyAll();
    }

    synchronized JobStateEvent state(int index) throws InterruptedException {
      while (states.size() <= index) {
        wait();
      }
      return states.get(index);
    }

    static boolean ends(JobStateEvent event) {
      return event.getState() == JobState.Enum.DONE || event.getState() == JobState.Enum.FAILED;
    }

    void run(String id) {
      enter(JobState.Enum.RUNNING);
      try {
        FileSystems.setDefaultPipelineOptions(options);
        var translator = FlinkBatchPortablePipelineTranslator.createTranslator();
        JobInfo info =
            JobInfo.create(id, options.getJobName(), "", PipelineOptionsTranslation.toProto(options));
        Pipeline sized =
            ProtoOverrides.updateTransform(
                PTransformTranslation.PAR_DO_TRANSFORM_URN,
                pipeline,
                SplittableParDoExpander.createSizedReplacement());
        Pipeline trimmed = TrivialNativeTransformExpander.forKnownUrns(sized, translator.knownUrns());
        Pipeline fused = GreedyPipelineFuser.fuse(trimmed).toPipeline();
        var context =
            translator.createTranslationContext(
                info, options, System.getenv("FLINK_CONF_DIR"), List.of());
        translator.translate(context, fused).execute(options.getJobName());
        enter(JobState.Enum.DONE);
      } catch (Exception error) {
        StringWriter trace = new StringWriter();
        error.printStackTrace(new PrintWriter(trace));
        failure = trace.toString();
        System.err.println(failure);
        enter(JobState.Enum.FAILED);
      }
    }
  }

  @Override
  public void describePipelineOptions(
      DescribePipelineOptionsRequest request,
      StreamObserver<DescribePipelineOptionsResponse> observer) {
    answer(observer, DescribePipelineOptionsResponse.getDefaultInstance());
  }

  @Override
  public void prepare(PrepareJobRequest request, StreamObserver<PrepareJobResponse> observer) {
    FlinkPipelineOptions options =
        PipelineOptionsTranslation.fromProto(request.getPipelineOptions()).as(FlinkPipelineOptions.class);
    options.setFlinkMaster(master);
    options.setRunner(null);
    String id = "favor-data-" + UUID.randomUUID();
    jobs.put(id, new Job(request.getPipeline(), options));
    answer(observer, PrepareJobResponse.newBuilder().setPreparationId(id).build());
  }

  @Override
  public void run(RunJobRequest request, StreamObserver<RunJobResponse> observer) {
    String id = request.getPreparationId();
    new Thread(() -> jobs.get(id).run(id), id).start();
    answer(observer, RunJobResponse.newBuilder().setJobId(id).build());
  }

  @Override
  public void getState(GetJobStateRequest request, StreamObserver<JobStateEvent> observer) {
    Job job = jobs.get(request.getJobId());
    synchronized (job) {
      answer(observer, job.states.get(job.states.size() - 1));
    }
  }

  @Override
  public void getStateStream(GetJobStateRequest request, StreamObserver<JobStateEvent> observer) {
    Job job = jobs.get(request.getJobId());
    follow(job, observer::onNext, observer);
  }

  @Override
  public void getMessageStream(
      JobMessagesRequest request, StreamObserver<JobMessagesResponse> observer) {
    Job job = jobs.get(request.getJobId());
    follow(job, event -> observer.onNext(message(job, event)), observer);
  }

  @Override
  public void getJobMetrics(
      GetJobMetricsRequest request, StreamObserver<GetJobMetricsResponse> observer) {
    answer(observer, GetJobMetricsResponse.getDefaultInstance());
  }

  private static JobMessagesResponse message(Job job, JobStateEvent event) {
    JobMessagesResponse.Builder response = JobMessagesResponse.newBuilder();
    if (event.getState() == JobState.Enum.FAILED) {
      response.setMessageResponse(
          JobMessage.newBuilder()
              .setImportance(JobMessage.MessageImportance.JOB_MESSAGE_ERROR)
              .setMessageText(job.failure));
    } else {
      response.setStateResponse(event);
    }
    return response.build();
  }

  private static void follow(
      Job job, java.util.function.Consumer<JobStateEvent> send, StreamObserver<?> observer) {
    try {
      JobStateEvent event;
      int index = 0;
      do {
        event = job.state(index++);
        send.accept(event);
      } while (!Job.ends(event));
      observer.onCompleted();
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }

  private static <T> void answer(StreamObserver<T> observer, T value) {
    observer.onNext(value);
    observer.onCompleted();
  }
}
