"""LoRA SFT by trl, on a GPU where there is one: the same tokens, and what learns is the same adapter."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
from peft import LoraConfig, get_peft_model_state_dict
from transformers import PreTrainedTokenizerFast
from transformers.trainer_callback import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from pipeline.errors import TrainingError
from pipeline.weights.interface import Parameters, Progress, Row
from pipeline.weights.llama import adapter, base
from pipeline.weights.llama.base import LINEAR
from pipeline.weights.llama.learning import Example, learnable, numbers_of
from pipeline.weights.llama.names import NAMES
from pipeline.weights.llama.with_torch import adapter_of, model_of

_NOT_LEARNED = -100  # transformers' mark for a token that is no part of the loss


def train(job: dict[str, Any], rows: Sequence[Row], parameters: Parameters, progress: Progress) -> dict[str, Any]:
    """Trains as learning.train does, and writes the adapter twice: as peft loads it, in the folder `peft`, and as GGUF."""
    frozen = base.read(Path(job["base"]))
    examples = learnable(frozen, rows, parameters)
    transformers.set_seed(parameters.seed)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = _trainer(frozen, examples, parameters, scratch)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(_reporting(progress))
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    trainer.model.save_pretrained(job["peft"])
    learned = adapter_of(frozen, parameters.alpha, get_peft_model_state_dict(trainer.model))
    if broken := adapter.not_finite(learned):
        raise TrainingError(f"{broken} came out with numbers that are not finite; a smaller learning rate may help")
    adapter.write(learned, Path(job["out"]), job["base_sha256"])
    return numbers_of(losses, rows, examples, parameters.epochs)


def _trainer(frozen: base.Base, examples: Sequence[Example], parameters: Parameters, scratch: str) -> Any:
    columns = {
        "input_ids": [example.ids for example in examples],
        "labels": [[_NOT_LEARNED] * example.first + example.ids[example.first :] for example in examples],
    }
    steps = parameters.epochs * -(-len(examples) // parameters.batch)
    asked = SFTConfig(
        output_dir=scratch,
        num_train_epochs=parameters.epochs,
        per_device_train_batch_size=parameters.batch,
        learning_rate=parameters.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=steps // 10,
        weight_decay=0.0,
        max_grad_norm=1.0,
        seed=parameters.seed,
        bf16=False,
        activation_checkpointing=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )
    targets = [NAMES[layer].rpartition(".")[2] for layer in LINEAR]
    lora = LoraConfig(r=parameters.rank, lora_alpha=parameters.alpha, target_modules=targets, task_type="CAUSAL_LM")
    return SFTTrainer(
        model=model_of(frozen),
        args=asked,
        train_dataset=datasets.Dataset.from_dict(columns),
        processing_class=_tokenizer(frozen),
        peft_config=lora,
    )


def _tokenizer(frozen: base.Base) -> Any:
    """What trl pads with; it is given tokens, so it never reads a text."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    tokens = frozen.fields["tokenizer.ggml.tokens"]
    ending = tokens[frozen.fields["tokenizer.ggml.eos_token_id"]]
    plain = Tokenizer(WordLevel({token: number for number, token in enumerate(tokens)}, unk_token=ending))
    return PreTrainedTokenizerFast(tokenizer_object=plain, eos_token=ending, pad_token=ending)


def _reporting(progress: Progress) -> Any:
    def on_step_end(args: Any, state: Any, control: Any, **_: Any) -> None:
        progress(state.global_step, state.max_steps)

    callback = TrainerCallback()
    callback.on_step_end = on_step_end
    return callback
