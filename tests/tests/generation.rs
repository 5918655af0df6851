//! Decoders unrolled into programs: what they generate, on every engine, and a lie in one token.

use burn::tensor::Device;
use narrows_bisection::{Parameters, Trace};
use narrows_challenger::engine::{Backend, BurnEngine};
use narrows_compiler::{FloatModel, Generation, Sampler, encode_input};
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::engine::Engine;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::{OperatorIndex, Program};
use narrows_tests::arena::{Arena, answering, honest};
use narrows_tests::chargpt;

const PROMPT: usize = 8;
const TOKENS: usize = 6;

fn generation(sampler: Sampler) -> Generation {
    Generation { prompt: PROMPT, tokens: TOKENS, sampler }
}

/// The whole numbers that a program gives.
fn tokens(program: &Program, input: &[f32]) -> Vec<i64> {
    let input = encode_input(program, input).expect("an input");
    let outputs = Engine::new(program).run(&input).expect("it runs");
    let last = outputs.last().expect("an output");
    (0..).map_while(|at| program.header().output.dtype.read(last, at)).collect()
}

fn greedy() -> Program {
    let calibration = chargpt::prompts("calibration.npz", PROMPT, 4);
    chargpt::program(&chargpt::generating(generation(Sampler::Greedy)), &calibration)
}

#[test]
fn a_step_repeated_writes_what_the_whole_model_finds_likeliest() {
    let window = chargpt::window();
    let model = FloatModel::new(&window, Device::flex());
    let unrolled = chargpt::generating(generation(Sampler::Greedy));
    let repeated = FloatModel::new(&unrolled, Device::flex());
    let vocabulary = *window.value(window.output).shape.last().expect("classes");
    let program = greedy();
    let mut same = 0;
    for prompt in chargpt::prompts("test.npz", PROMPT, 6).inputs {
        // The oracle is the other ONNX file, which knows no cache: one whole window a token.
        let mut text = prompt.clone();
        while text.len() < PROMPT + TOKENS {
            let mut padded = text.clone();
            padded.resize(chargpt::WINDOW, 0.0);
            let values = model.run(&[&padded]);
            let logits = &values.sample(window.output, 0)[(text.len() - 1) * vocabulary..][..vocabulary];
            let best = (0..vocabulary).reduce(|a, b| if logits[b] > logits[a] { b } else { a });
            text.push(best.expect("a class") as f32);
        }
        assert_eq!(repeated.run(&[&prompt]).sample(unrolled.output, 0), text, "in floats");
        let text: Vec<i64> = text.iter().map(|token| *token as i64).collect();
        same += usize::from(tokens(&program, &prompt) == text);
    }
    assert!(same >= 5, "{same} of 6 texts are those of the float model");
}

#[test]
fn burn_writes_the_same_text_and_trace() {
    let program = greedy();
    for prompt in chargpt::prompts("test.npz", PROMPT, 2).inputs {
        let input = encode_input(&program, &prompt).expect("an input");
        let own = Engine::new(&program).run(&input).expect("it runs");
        for backend in Backend::ALL {
            let burn = BurnEngine::new(&program, backend).expect("it plans").run(&input).expect("it runs");
            assert!(burn == own, "{backend} writes another text");
        }
    }
}

#[test]
fn a_shorter_prompt_is_gone_on_with_earlier() {
    let program = greedy();
    let prompt = &chargpt::prompts("test.npz", PROMPT, 1).inputs[0];
    let mut short = prompt.clone();
    short[5..].fill(-1.0);
    let text = tokens(&program, &short);
    assert_eq!(text[..5], prompt[..5].iter().map(|t| *t as i64).collect::<Vec<_>>());
    // Told its own continuation, it goes on in the same way.
    let told: Vec<f32> = text[..PROMPT].iter().map(|token| *token as f32).collect();
    assert_eq!(tokens(&program, &told), text);
}

#[test]
fn a_seed_draws_one_text_and_another_another() {
    let sampler = Sampler::Seeded { temperature: 1.0 };
    let graph = chargpt::generating(generation(sampler));
    let seeded = |prompt: &[f32], seed: [f32; 2]| [prompt, &seed].concat();
    let mut calibration = chargpt::prompts("calibration.npz", PROMPT, 4);
    for (index, prompt) in calibration.inputs.iter_mut().enumerate() {
        *prompt = seeded(prompt, [index as f32, 1000.0]);
    }
    let program = chargpt::program(&graph, &calibration);
    let model = FloatModel::new(&graph, Device::flex());
    let prompt = &chargpt::prompts("test.npz", PROMPT, 1).inputs[0];
    let mut texts = std::collections::BTreeSet::new();
    let mut like_float = 0;
    for seed in 0..12u16 {
        let input = seeded(prompt, [f32::from(seed), f32::from(seed * 3000)]);
        let text = tokens(&program, &input);
        assert_eq!(text, tokens(&program, &input), "a seed gives one text");
        let float: Vec<i64> =
            model.run(&[&input]).sample(graph.output, 0).iter().map(|token| *token as i64).collect();
        like_float += usize::from(float == text);
        texts.insert(text);
    }
    assert!(texts.len() >= 6, "{} texts of 12 seeds", texts.len());
    assert!(like_float >= 9, "{like_float} of 12 texts are the float model's");
    // Halves beyond 16 bits count as the greatest and the least.
    let far = |seed: [f32; 2]| tokens(&program, &seeded(prompt, seed));
    assert_eq!(far([70_000.0, -5.0]), far([65_535.0, 0.0]));
}

#[test]
fn attack_01_a_lie_in_one_token_is_caught_at_that_token() {
    let program = greedy();
    let input = encode_input(&program, &chargpt::prompts("test.npz", PROMPT, 1).inputs[0]).expect("an input");
    let truth = Honest.trace(&program, input.clone()).expect("runs");
    // The operators of the step that chooses the fourth generated token.
    let prefix = format!("@{}/", PROMPT + 2);
    let there = |operator: &OperatorIndex| {
        program.meta().operators[operator.0 as usize].nodes.iter().any(|node| node.starts_with(&prefix))
    };
    let operators: Vec<OperatorIndex> =
        (0..program.header().operators).map(OperatorIndex).filter(there).collect();
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let mut caught = 0;
    for &operator in operators.iter().step_by(operators.len() / 5) {
        let lie = |delta| DoctoredOperator { operator, element: 0, delta }.trace(&program, input.clone());
        let claimed: Option<Trace> = [1, 90, -90]
            .map(|delta| lie(delta).expect("runs"))
            .into_iter()
            .find(|t| t.root() != truth.root());
        let Some(claimed) = claimed else { continue };
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &claimed);
        let mut one = arena.open(&claim);
        let outcome = arena.play(&mut one, &mut answering(&program, &claimed), &mut honest(&program, &truth));
        assert!(outcome.won(), "the lie at operator {operator} stands");
        assert_eq!(outcome.state.place, operator.0, "caught at the operator of the lie");
        caught += 1;
    }
    assert!(caught >= 3, "{caught} lies could be seen");
}

#[test]
fn attack_28_tokens_that_there_are_not_do_no_harm() {
    let program = greedy();
    let bytes = |token: i32| token.to_le_bytes().repeat(PROMPT);
    for input in [bytes(i32::MAX), bytes(i32::MIN), bytes(-1), bytes(1_000)] {
        let own = Engine::new(&program).run(&input).expect("it runs");
        let burn = BurnEngine::new(&program, Backend::Flex).expect("it plans").run(&input).expect("it runs");
        assert!(burn == own, "the engines differ");
    }
}
