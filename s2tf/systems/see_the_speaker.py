"""See the Speaker: from speech alone to a portrait (SCFP), and from both to a talking face (HRTF)."""

from s2tf.systems.declaration import (
    ChosenNetwork,
    ChosenSetting,
    DemoStep,
    DemoTraining,
    MotionCodes,
    PipelineClass,
    RunInput,
    StoredSetting,
    System,
)

SECOND_STAGE = ("motion_autoencoder", "lip_landmarks", "motion_diffusion")
DEMO = DemoTraining(
    steps=(
        DemoStep("conre", "fit", ("vars.shards={shards}",)),
        DemoStep("prior", "prior", ("vars.shards={shards}", "vars.conre={conre}", "prior.seed={seed}")),
        DemoStep("scfp", "fit", ("vars.shards={shards}", "vars.conre={conre}", "vars.prior={prior}")),
        DemoStep("motion_autoencoder", "fit", ("vars.shards={shards}",)),
        DemoStep("lip_landmarks", "fit", ("vars.shards={shards}",)),
        DemoStep("codes", "codes", ("{shards}", "{motion_autoencoder}/motion_autoencoder")),
        DemoStep("motion_diffusion", "fit", ("vars.shards={codes}",)),
    ),
    settings={
        "portrait_settings.steps": 25,
        "talking_settings.steps": 12,
    },
)
SEE_THE_SPEAKER = System(
    name="see-the-speaker",
    title="See the Speaker: crafting high-resolution talking faces from speech",
    stages=(
        "s2tf.stages.conre.ConReStage",
        "s2tf.stages.scfp.SCFPStage",
        "s2tf.stages.motion_autoencoder.MotionAutoencoderStage",
        "s2tf.stages.lip_landmarks.LipLandmarksStage",
        "s2tf.stages.motion_diffusion.MotionDiffusionStage",
    ),
    runs=(
        RunInput(
            "scfp",
            "s2tf.stages.scfp.SCFPStage",
            {
                "speech_encoder": "speech_encoder",
                "portrait_diffusion": "portrait_diffusion",
                "face_decoder": "face_decoder",
            },
            "run of SCFP: speech to portrait; it contains the networks of its ConRe run",
        ),
        RunInput(
            "motion_autoencoder",
            "s2tf.stages.motion_autoencoder.MotionAutoencoderStage",
            {"motion_autoencoder": "motion_autoencoder"},
            "run of the motion autoencoder: motion codes to frames; also a run of the high-resolution phase",
        ),
        RunInput(
            "lip_landmarks",
            "s2tf.stages.lip_landmarks.LipLandmarksStage",
            {"lip_features": "speech_features", "lip_landmarks": "lip_landmarks"},
            "run of lip landmarks: speech to lips",
        ),
        RunInput(
            "motion_diffusion",
            "s2tf.stages.motion_diffusion.MotionDiffusionStage",
            {"motion_features": "speech_features", "motion_diffusion": "motion_diffusion"},
            "run of motion diffusion: speech to the motion codes of that autoencoder",
        ),
    ),
    pipelines=(
        PipelineClass("s2tf.pipelines.portrait.PortraitPipeline", ("scfp",), ("portrait",)),
        PipelineClass("s2tf.pipelines.talking_face.TalkingFacePipeline", SECOND_STAGE, ("animate",)),
        PipelineClass(
            "s2tf.pipelines.speech_to_talking_face.SpeechToTalkingFacePipeline",
            ("scfp", *SECOND_STAGE),
            ("animate", "generate"),
        ),
    ),
    stored=(
        StoredSetting("portrait_settings.seconds", "scfp", "config", "data.init_args.seconds"),
        StoredSetting("portrait_settings.crop", "scfp", "manifest", "crop_rule"),
        StoredSetting("talking_settings.crop", "motion_diffusion", "manifest", "crop_rule"),
    ),
    chosen=(
        ChosenSetting(
            "steps",
            int,
            ("portrait_settings.steps", "talking_settings.steps"),
            "number of denoising steps that the pipeline stores for each diffusion (default: 50)",
        ),
        ChosenSetting(
            "temperature",
            float,
            ("portrait_settings.temperature",),
            "factor on the initial noise that the pipeline stores for portraits (default: 1.0)",
        ),
    ),
    networks=(
        ChosenNetwork(
            "code_predictor",
            "s2tf.models.predicted_codes.read_code_predictor",
            "folder of CodeFormer (`s2tf import codeformer`) or of its predictor, which then chooses the codes of each "
            "frame (default: the nearest codes)",
        ),
    ),
    codes=(MotionCodes(run="motion_diffusion", autoencoder="motion_autoencoder"),),
    demo=DEMO,
)
